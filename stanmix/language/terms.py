"""The right side of a parameter line: which columns it needs, and how formulaic is told.

Formulaic evaluates Python inside terms. What reaches it is written here, node by node, with
aliases for columns: numbers, operators, and calls of the functions below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stanmix.data import Table
from stanmix.errors import DataError, Problem, Span, SpecError, did_you_mean, listing, plural
from stanmix.language import tree
from stanmix.levels import has_levels, levels_of
from stanmix.spec import Covariate, Design


@dataclass(frozen=True)
class Function:
    """A function of terms: how many columns or numbers it takes, and which named arguments."""

    most: int
    keywords: tuple[str, ...] = ()


FUNCTIONS: Mapping[str, Function] = {
    "poly": Function(2, ("degree",)),
    "bs": Function(2, ("df", "degree")),
    "C": Function(1),
    "scale": Function(1, ("center", "scale")),
    "center": Function(1),
    "log": Function(1),
    "exp": Function(1),
    "sqrt": Function(1),
    "I": Function(1),
}
LOGICAL = {"TRUE": "True", "FALSE": "False", "True": "True", "False": "False"}


@dataclass(frozen=True)
class Terms:
    """What the right side of a parameter line says.

    Parameters
    ----------
    design
        The terms that have coefficients, the intercept among them unless it is taken out.
    offset
        What is added as it is; None for nothing.
    groups
        The group-level terms.
    """

    design: Design
    offset: Design | None
    groups: tuple[tree.Group, ...]


def read_terms(node: tree.Term, table: Table, source: str) -> Terms:
    """The terms of a parameter line, checked against the columns there are.

    Raises
    ------
    SpecError
        A function is called with what it does not take.
    DataError
        The data lack a column, or a column of levels stands where numbers must.
    """
    fixed: list[tuple[str, tree.Term]] = []
    offsets: list[tree.Call] = []
    groups: list[tree.Group] = []
    for sign, summand in _signed_summands(node, "+"):
        if isinstance(summand, tree.Group):
            groups.append(summand)
        elif isinstance(summand, tree.Call) and summand.function.text == "offset":
            if sign == "-":
                message = "An offset is added; one that is taken off is `offset(-x)`."
                raise SpecError(Problem(message, source, summand.span))
            offsets.append(summand)
        else:
            fixed.append((sign, summand))
    written = _Writer(table, source)
    text = " ".join(f"{sign} {written.term(summand)}" for sign, summand in fixed) or "1"
    design = Design(text.removeprefix("+ "), written.covariates)
    return Terms(design, _offset(offsets, table, source), tuple(groups))


def formula_designs(formula: tree.Formula, table: Table) -> Iterator[Design]:
    """The designs of all lines of a formula, as `read_terms` writes them."""
    for line in formula.lines:
        terms = read_terms(line.terms, table, formula.text)
        yield terms.design
        if terms.offset is not None:
            yield terms.offset
        for group in terms.groups:
            yield read_terms(group.terms, table, formula.text).design


def _signed_summands(node: tree.Term, sign: str) -> list[tuple[str, tree.Term]]:
    """The terms of a sum, each with its sign."""
    if isinstance(node, tree.Binary) and node.op in ("+", "-"):
        return _signed_summands(node.left, sign) + _signed_summands(node.right, node.op)
    if isinstance(node, tree.Unary):
        flipped = {"+": sign, "-": "-" if sign == "+" else "+"}[node.op]
        return _signed_summands(node.operand, flipped)
    return [(sign, node)]


def _offset(offsets: list[tree.Call], table: Table, source: str) -> Design | None:
    if not offsets:
        return None
    written = _Writer(table, source)
    for call in offsets:
        if len(call.args) != 1 or call.keywords:
            raise SpecError(Problem("`offset(..)` takes one expression.", source, call.span))
    parts = [written.argument(call.args[0]) for call in offsets]
    return Design(f"0 + I({' + '.join(parts)})", written.covariates)


def unusable_name(column: str) -> str | None:
    """What to say of a column whose name a saved fit cannot hold; None of others."""
    if column == "obs" or "/" in column:
        return f"A column cannot be called `{column}` here; rename it."
    return None


class _Writer:
    """Writes terms for formulaic, and collects the columns they need."""

    def __init__(self, table: Table, source: str) -> None:
        self.table = table
        self.source = source
        self._covariates: dict[tuple[str, bool], Covariate] = {}

    @property
    def covariates(self) -> tuple[Covariate, ...]:
        """The columns so far."""
        return tuple(self._covariates.values())

    def refuse(self, message: str, span: Span, hint: str | None = None) -> SpecError:
        return SpecError(Problem(message, self.source, span, hint))

    def column(self, name: tree.Name, levels: bool | None = None) -> str:
        """The alias of a column, as numbers or as levels; whichever it is where None."""
        absent = self.table.missing(name.text)
        if absent:
            hint = self.table.hint(name.text)
            raise DataError(Problem(absent, self.source, name.span, hint))
        if unusable := unusable_name(name.text):
            raise self.refuse(unusable, name.span)
        if levels is None:
            levels = has_levels(self.table, name.text)
        key = (name.text, levels)
        if key not in self._covariates:
            alias = f"_c{len(self._covariates)}_"
            known = levels_of(self.table, name.text) if levels else ()
            self._covariates[key] = Covariate(alias, name.text, known)
        return self._covariates[key].alias

    def term(self, node: tree.Term | tree.Text) -> str:
        """A term, outside functions."""
        match node:
            case tree.Name():
                return self.column(node)
            case tree.Number():
                return str(node.value)
            case tree.Binary(op="^"):
                return f"({self.term(node.left)})**{self.term(node.right)}"
            case tree.Binary():
                return f"({self.term(node.left)} {node.op} {self.term(node.right)})"
            case tree.Unary():
                return f"({node.op}{self.term(node.operand)})"
            case tree.Call():
                return self.call(node)
        raise self.refuse("Group-level terms and texts are no part of other terms.", node.span)

    def argument(self, node: tree.Term | tree.Text) -> str:
        """A part of an argument of a function, where operators are arithmetic."""
        match node:
            case tree.Name():
                if node.text in self.table.columns and has_levels(self.table, node.text):
                    message = f"Column `{node.text}` holds levels, and numbers are needed here."
                    raise DataError(Problem(message, self.source, node.span))
                return self.column(node, levels=False)
            case tree.Number():
                return repr(node.value)
            case tree.Binary(op="^"):
                return f"({self.argument(node.left)} ** {self.argument(node.right)})"
            case tree.Binary():
                return f"({self.argument(node.left)} {node.op} {self.argument(node.right)})"
            case tree.Unary():
                return f"({node.op}{self.argument(node.operand)})"
            case tree.Call():
                if node.function.text in ("C", "offset"):
                    message = f"`{node.function.text}(..)` is a term, and no part of one."
                    raise self.refuse(message, node.span)
                return self.call(node)
        raise self.refuse("A function of a column takes columns and numbers.", node.span)

    def call(self, call: tree.Call) -> str:
        """A call of a known function."""
        name = call.function.text
        if name == "offset":
            raise self.refuse("`offset(..)` is added to other terms.", call.span)
        function = FUNCTIONS[name]
        if not 1 <= len(call.args) <= function.most:
            takes = plural(function.most)
            raise self.refuse(f"`{name}` takes {takes}, not {len(call.args)}.", call.span)
        if name == "C":
            column = call.args[0]
            if not isinstance(column, tree.Name):
                raise self.refuse("`C(..)` takes a column.", call.span)
            return f"C({self.column(column, levels=True)})"
        first = self.argument(call.args[0])
        # Brackets around a whole argument would stand in the names of coefficients.
        first = first[1:-1] if isinstance(call.args[0], tree.Binary) else first
        others = [self.count(f"The second argument of `{name}`", a) for a in call.args[1:]]
        named = [self.keyword(name, function, keyword) for keyword in call.keywords]
        return f"{name}({', '.join([first, *others, *named])})"

    def count(self, what: str, node: tree.Term | tree.Text) -> str:
        if not isinstance(node, tree.Number) or node.value != int(node.value) or node.value < 1:
            raise self.refuse(f"{what} is a whole number from 1 on.", node.span)
        return str(int(node.value))

    def keyword(self, name: str, function: Function, keyword: tree.Keyword) -> str:
        given, value = keyword.name.text, keyword.value
        if given not in function.keywords:
            known = f"; it has {listing(function.keywords)}" if function.keywords else ""
            message = f"`{name}` has no argument `{given}`{known}."
            hint = did_you_mean(given, function.keywords)
            raise self.refuse(message, keyword.name.span, hint)
        if given in ("center", "scale"):
            if not isinstance(value, tree.Name) or value.text not in LOGICAL:
                raise self.refuse(f"`{given}` is TRUE or FALSE.", value.span)
            return f"{given}={LOGICAL[value.text]}"
        return f"{given}={self.count(f'`{given}`', value)}"
