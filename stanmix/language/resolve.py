"""From a syntax tree and the data's columns to a `ModelSpec`: what the formula means.

Three steps: which families observe which columns (`_pieces`), which parameters that makes
(`_parameters`), and which priors they have. Each step reports all it finds wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stanmix.clusters import best_separated
from stanmix.data import Table, choice_labels, numbers, response_values, statistic
from stanmix.errors import DataError, Problem, SpecError, StanmixError, did_you_mean, listing
from stanmix.families import FAMILIES, Column, Family, Param
from stanmix.language import syntax
from stanmix.language.options import Options, read_options
from stanmix.language.priors import assign, parse_prior
from stanmix.spec import (
    Constant,
    Fixed,
    ModelSpec,
    Parameter,
    PriorEntry,
    Response,
    Term,
    Use,
)

LATER_ADDITIONS = ("freq", "known", "cens", "trunc")
ADDITIONS = ("dec", "trials", "unit", "series", "time")

_STATISTIC_COMMENTS = {
    "center": "median",
    "scale": "standard deviation",
    "mean": "mean",
    "log_center": "median of the logarithm",
    "log_scale": "standard deviation of the logarithm",
    "minimum": "smallest value",
}


def resolve(
    formula: syntax.Formula, table: Table, priors: Mapping[str, str] | None = None
) -> ModelSpec:
    """The model that `formula` describes for these data.

    Parameters
    ----------
    formula
        What `parse` returned.
    table
        The data. Only its columns, their ranges, and the statistics that scale default priors
        matter here.
    priors
        Prior text by what it is a prior of; the others keep their defaults.

    Raises
    ------
    SpecError
        The formula or the priors do not make a model.
    DataError
        The data lack a column, or hold values that it must not hold.

    Examples
    --------
    >>> from stanmix.data import read_table
    >>> from stanmix.language.syntax import parse
    >>> spec = resolve(parse("y ~ mix(normal, K=2)"), read_table({"y": [0.1, 0.4, 3.2, 3.1]}))
    >>> [parameter.name for parameter in spec.parameters]
    ['mu', 'sigma', 'weights']
    """
    source = formula.text
    if formula.lines:
        raise SpecError(
            *(
                Problem("Parameter lines are read, but cannot be fitted yet.", source, line.span)
                for line in formula.lines
            )
        )
    line = formula.model
    options = read_options(line.latent, source)
    additions = _additions(line, options.kind, table, source)
    pieces = _pieces(line, options, additions, table, source)
    model = _Parameters(pieces, options, additions, table, source).build()
    homogeneous = len({_shape(component) for component in pieces}) == 1
    spec = ModelSpec(
        formula=syntax.format_formula(formula),
        kind=options.kind,
        K=len(pieces),
        emissions=model.emissions[:1] if homogeneous else model.emissions,
        parameters=(*model.parameters, *_latent_parameters(options)),
        responses=model.responses,
        initial=options.initial,
        unit=additions.column("unit"),
        series=additions.column("series"),
        time=additions.column("time"),
        additions=tuple(sorted(additions.names & {"dec", "trials"})),
        order_column=model.order_column,
    )
    spec = replace(spec, parameters=assign(spec.parameters, priors or {}, spec.sizes, spec.labels))
    constants = _used_constants(spec, model.constants, model.unusable)
    return replace(spec, constants=constants, notes=tuple(_notes(spec, model.notes)))


# Left side.


@dataclass(frozen=True)
class Additions:
    """The additions of the left side: their argument by name."""

    given: Mapping[str, syntax.Name | syntax.Number]

    @property
    def names(self) -> frozenset[str]:
        """Which additions there are."""
        return frozenset(self.given)

    def column(self, name: str) -> str | None:
        """The column of an addition, if it is there and has one."""
        argument = self.given.get(name)
        return argument.text if isinstance(argument, syntax.Name) else None


def _additions(line: syntax.ModelLine, kind: str, table: Table, source: str) -> Additions:
    problems: list[Problem] = []
    given: dict[str, syntax.Name | syntax.Number] = {}
    for addition in line.additions:
        name, span = addition.name.text, addition.span
        if name in LATER_ADDITIONS:
            problems.append(Problem(f"`{name}(..)` is not available yet.", source, span))
        elif name not in ADDITIONS:
            message = f"Unknown addition `{name}`; must be one of {listing(ADDITIONS)}."
            hint = did_you_mean(name, ADDITIONS)
            problems.append(Problem(message, source, addition.name.span, hint))
        elif name in given:
            problems.append(Problem(f"`{name}(..)` stands twice.", source, span))
        elif kind == "mix" and name in ("series", "time"):
            message = f"A mixture has no order in time, so `{name}(..)` means nothing here."
            problems.append(Problem(message, source, span, "use `hmm(..)` for sequences"))
        elif len(addition.args) != 1:
            problems.append(Problem(f"`{name}(..)` takes one column.", source, span))
        else:
            argument = addition.args[0]
            if isinstance(argument, syntax.Number) and name != "trials":
                problems.append(Problem(f"`{name}(..)` takes a column.", source, argument.span))
            elif isinstance(argument, syntax.Number) and not _is_count(argument.value):
                message = "The number of trials must be a positive whole number."
                problems.append(Problem(message, source, argument.span))
            given[name] = argument
    if problems:
        raise SpecError(*problems)
    named = [a for a in given.values() if isinstance(a, syntax.Name)]
    named += [name for name in line.response if name.text not in table.matrices]
    missing = [
        Problem(message, source, name.span, table.hint(name.text))
        for name in named
        if (message := table.missing(name.text))
    ]
    if missing:
        raise DataError(*missing)
    return Additions(given)


def _is_count(value: float) -> bool:
    return value == int(value) and value >= 1


# Which families observe which columns.


@dataclass(frozen=True)
class Piece:
    """A family on a column, or on several at once, in one component."""

    family: Family
    columns: tuple[str, ...]
    suffix: str
    fixed: Mapping[str, float]
    ordered: tuple[str, ...]
    call: syntax.FamilyCall


def _shape(component: Sequence[Piece]) -> tuple[object, ...]:
    """What makes two components alike."""
    return tuple(
        (p.family.key, p.columns, tuple(sorted(p.fixed.items())), p.ordered) for p in component
    )


def _pieces(
    line: syntax.ModelLine, options: Options, additions: Additions, table: Table, source: str
) -> list[tuple[Piece, ...]]:
    """For each component the families that observe the response; a lone one is repeated."""
    columns = table.expand(tuple(name.text for name in line.response))
    if len(set(columns)) < len(columns):
        raise SpecError(Problem("A column stands twice in the response.", source, line.span))
    problems: list[Problem] = []
    components: list[tuple[Piece, ...]] = []
    for component in line.latent.components:
        pieces: list[Piece] = []
        calls = component.families
        if len(calls) > 1 and len(calls) != len(columns):
            message = f"`&` joins {len(calls)} families, but the response has {len(columns)} "
            message += "column." if len(columns) == 1 else "columns."
            problems.append(Problem(message, source, component.span))
            continue
        suffixes = _suffixes(columns)
        for family, own, call in _spread(calls, columns, options.cov):
            if isinstance(family, Problem):
                problems.append(replace(family, source=source))
                continue
            found = list(_family_problems(family, call, additions, columns))
            problems.extend(replace(p, source=source) for p in found)
            if not found:
                suffix = suffixes[own[0]] if len(columns) > 1 and len(own) == 1 else ""
                fixed, ordered = _settings(call)
                pieces.append(Piece(family, own, suffix, fixed, ordered, call))
        components.append(tuple(pieces))
    if problems:
        raise SpecError(*_distinct(problems))
    problems = list(_unused_additions(line, additions, components))
    if (
        options.cov_span
        and not any(p.family.cov for c in components for p in c)
        and len(columns) > 1
    ):
        message = "`cov` needs a family with a covariance, such as `normal`."
        problems.append(Problem(message, None, options.cov_span))
    if problems:
        raise SpecError(*(replace(p, source=source) for p in problems))
    return components * options.K if len(components) == 1 else components


def _distinct(problems: Sequence[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _spread(
    calls: Sequence[syntax.FamilyCall], columns: tuple[str, ...], cov: str
) -> Iterator[tuple[Family | Problem, tuple[str, ...], syntax.FamilyCall]]:
    """The family of each column; a family with covariances takes all columns at once."""
    if len(calls) > 1:
        for call, column in zip(calls, columns, strict=True):
            yield _family(call), (column,), call
        return
    call = calls[0]
    together = FAMILIES.get(f"{call.name.text}[{cov}]")
    if len(columns) > 1 and together is not None:
        yield together, columns, call
    else:
        for column in columns:
            yield _family(call), (column,), call


def _family(call: syntax.FamilyCall) -> Family | Problem:
    name = call.name.text
    names = list(dict.fromkeys(f.name for f in FAMILIES.values()))
    if name in names:
        return FAMILIES[name]
    return Problem(
        f"Unknown family `{name}`; must be one of {listing(names)}.",
        None,
        call.name.span,
        did_you_mean(name, names),
    )


def _settings(call: syntax.FamilyCall) -> tuple[dict[str, float], tuple[str, ...]]:
    fixed, ordered = {}, []
    for argument in call.arguments:
        if argument.name.text == "order" and isinstance(argument.value, syntax.Name):
            ordered.append(argument.value.text)
        elif isinstance(argument.value, syntax.Number):
            fixed[argument.name.text] = float(argument.value.value)
    return fixed, tuple(ordered)


def _family_problems(
    family: Family, call: syntax.FamilyCall, additions: Additions, columns: tuple[str, ...]
) -> Iterator[Problem]:
    """What is wrong with one family call."""
    names = [p.name for p in family.params]
    for argument in call.arguments:
        name, value = argument.name.text, argument.value
        if name == "order":
            yield from _inner_order_problems(family, value)
        elif name not in names:
            message = f"`{family.name}` has no parameter `{name}`; it has {listing(names)}."
            yield Problem(message, None, argument.name.span, did_you_mean(name, names))
        elif not isinstance(value, syntax.Number):
            message = f"`{name}` can only be fixed at a number here."
            yield Problem(message, None, value.span)
        else:
            param = family.param(name)
            if param.axes:
                message = f"`{name}` is not a single number, so it cannot be fixed at one."
                yield Problem(message, None, argument.span)
            elif not _inside(param, value.value):
                yield Problem(f"`{name}` must be {_range(param)}.", None, value.span)
    fixed = [a.name.text for a in call.arguments]
    for name in {n for n in fixed if fixed.count(n) > 1}:
        yield Problem(f"`{name}` is given twice.", None, call.span)
    for column in family.response:
        if column.addition and not column.optional and column.addition not in additions.names:
            yield Problem(
                f"`{family.name}` needs `{column.addition}(..)` on the left side.",
                None,
                call.name.span,
                f"add `| {column.addition}(..)` after the response",
            )
        elif column.kind == "choice" and column.addition in additions.names and len(columns) > 1:
            message = f"`{family.name}` with a choice needs a response of one column."
            yield Problem(message, None, call.name.span)


def _inner_order_problems(family: Family, value: syntax.Value) -> Iterator[Problem]:
    vectors = [p.name for p in family.params if p.axes == ("accumulator",)]
    if not isinstance(value, syntax.Name) or value.text not in vectors:
        have = f"it has {listing(vectors)}" if vectors else "it has none"
        message = f"`order` inside a family names one of its vectors; {have}."
        yield Problem(message, None, value.span)


def _inside(param: Param, value: float) -> bool:
    return (param.lower is None or value > param.lower) and (
        param.upper is None or value < param.upper
    )


def _range(param: Param) -> str:
    if param.lower is not None and param.upper is not None:
        return f"between {param.lower:g} and {param.upper:g}"
    return f"above {param.lower:g}" if param.lower is not None else f"below {param.upper:g}"


def _unused_additions(
    line: syntax.ModelLine, additions: Additions, components: Sequence[Sequence[Piece]]
) -> Iterator[Problem]:
    """`dec(..)` or `trials(..)` that no family looks at."""
    used = {c.addition for pieces in components for p in pieces for c in p.family.response}
    for addition in line.additions:
        name = addition.name.text
        if name in ("dec", "trials") and name not in used:
            families = [
                f.name for f in FAMILIES.values() if any(c.addition == name for c in f.response)
            ]
            message = f"No family here uses `{name}(..)`; {listing(families)} would."
            yield Problem(message, None, addition.span)


def _suffixes(columns: Sequence[str]) -> dict[str, str]:
    """A name for each column that Stan accepts inside a longer name, all different."""
    suffixes: dict[str, str] = {}
    for column in columns:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", column).strip("_") or "column"
        candidate, number = plain, 2
        while candidate in suffixes.values():
            candidate, number = f"{plain}_{number}", number + 1
        suffixes[column] = candidate
    return suffixes


# Which parameters that makes.


class _Parameters:
    """Collects responses, constants and parameters while it walks over the pieces."""

    def __init__(
        self,
        pieces: Sequence[tuple[Piece, ...]],
        options: Options,
        additions: Additions,
        table: Table,
        source: str,
    ) -> None:
        self.pieces = pieces
        self.options = options
        self.additions = additions
        self.table = table
        self.source = source
        self.K = len(pieces)
        self.responses: tuple[Response, ...] = ()
        self.constants: dict[str, Constant] = {}
        self.unusable: dict[str, str] = {}
        self.parameters: list[Parameter] = []
        self.order_column: int | None = None
        self.notes: list[str] = []
        # Arguments by (component, piece, family parameter).
        self.arguments: dict[tuple[int, int, str], Fixed | Use] = {}

    def build(self) -> _Parameters:
        self.responses = _responses(self.pieces, self.additions, self.table, self.source)
        for name, suffix in self.groups():
            self.add(name, suffix)
        self.check_shared()
        self.apply_order()
        return self

    @property
    def emissions(self) -> tuple[tuple[Term, ...], ...]:
        return tuple(
            tuple(
                Term(
                    piece.family.key,
                    self.response_names(piece),
                    tuple(self.arguments[k, j, p.name] for p in piece.family.params),
                )
                for j, piece in enumerate(component)
            )
            for k, component in enumerate(self.pieces)
        )

    def response_names(self, piece: Piece) -> tuple[str, ...]:
        names = []
        for column in piece.family.columns(self.additions.names):
            if column.addition:
                names.append(column.name)
            else:
                names.append(self.observed(piece).name)
        return tuple(names)

    def observed(self, piece: Piece) -> Response:
        """The response on the left side that a piece observes."""
        many = any(c.many for c in piece.family.response)
        return next(r for r in self.responses if r.columns == piece.columns and r.many == many)

    def groups(self) -> dict[tuple[str, str], None]:
        """The (parameter, column suffix) pairs, in order of first appearance."""
        return {
            (param.name, piece.suffix): None
            for component in self.pieces
            for piece in component
            for param in piece.family.params
        }

    def add(self, name: str, suffix: str) -> None:
        """Make the parameter, or the parameters, that components call `name`."""
        base = f"{name}_{suffix}" if suffix else name
        holders: list[tuple[int, int, Piece, Param]] = []
        for k, component in enumerate(self.pieces):
            for j, piece in enumerate(component):
                if piece.suffix == suffix and name in [p.name for p in piece.family.params]:
                    if name in piece.fixed:
                        self.arguments[k, j, name] = Fixed(piece.fixed[name])
                    else:
                        holders.append((k, j, piece, piece.family.param(name)))
        if not holders:
            return
        alike = len({_type(param) for *_, param in holders}) == 1
        inner = {name in piece.ordered for _, _, piece, _ in holders}
        shared = name in self.options.share or base in self.options.share
        if shared or (holders[0][3].shared and len(holders) == self.K and alike):
            self.share(base, holders, alike)
        elif len(holders) == self.K and alike and len(inner) == 1:
            parameter = self.parameter(base, holders[0], ("state",), None)
            self.parameters.append(
                _by_component(
                    parameter,
                    [self.parameter(base, holder, ("state",), None) for holder in holders],
                )
            )
            for k, j, *_ in holders:
                self.arguments[k, j, name] = Use(base, by_state=True)
        else:
            for holder in holders:
                k, j, *_ = holder
                own = f"{base}_{k + 1}"
                everywhere = holder if self.K == 1 else None
                self.parameters.append(self.parameter(own, holder, (), everywhere))
                self.arguments[k, j, name] = Use(own, by_state=False)

    def share(
        self, base: str, holders: Sequence[tuple[int, int, Piece, Param]], alike: bool
    ) -> None:
        if not alike:
            raise SpecError(
                Problem(
                    f"`{base}` cannot be shared: it is not the same kind of parameter in all "
                    "components.",
                    self.source,
                    self.options.share_span,
                )
            )
        everywhere = holders[0] if len(holders) == self.K else None
        self.parameters.append(self.parameter(base, holders[0], (), everywhere))
        for k, j, _, param in holders:
            self.arguments[k, j, param.name] = Use(base, by_state=False)

    def parameter(
        self,
        name: str,
        holder: tuple[int, int, Piece, Param],
        axes: tuple[str, ...],
        everywhere: object,
    ) -> Parameter:
        """One parameter with its default prior.

        A bound by the data holds where every row needs it: where one value serves all components.
        """
        _, _, piece, param = holder
        response = self.observed(piece)
        names = {s: self.constant(response, s) for s in _statistics(param.prior)}
        text = param.prior.format(**{s: c.name for s, c in names.items()})
        prior = parse_prior(text, {c.name: c.value for c in names.values()})
        below = None
        if param.below and (everywhere or (self.K == 1)):
            below = self.constant(response, param.below).name
        return Parameter(
            name=name,
            axes=(*axes, *param.axes),  # type: ignore[arg-type]
            priors=(PriorEntry(prior),),
            constraint="correlation" if param.correlation else "none",
            lower=param.lower,
            upper=param.upper,
            below=below,
            order="accumulator" if param.name in piece.ordered else None,
            param=param.name,
        )

    def constant(self, response: Response, name: str) -> Constant:
        """A statistic of a response; one that a prior cannot use counts as 1 until refused."""
        own = f"{response.name}_{name}"
        if own not in self.constants:
            values = []
            for column in response.columns:
                y = numbers(self.table, column)
                value = statistic(y, name)
                if value <= 0 and name not in ("center", "log_center", "minimum"):
                    self.unusable[own] = column
                    value = 1.0
                if name == "center" and value <= 0 and response.kind == "positive":
                    value = 1.0
                values.append(value)
            comment = f"{_STATISTIC_COMMENTS[name]} of {', '.join(response.columns)}"
            value_ = tuple(values) if response.many else values[0]
            self.constants[own] = Constant(own, value_, comment)
        return self.constants[own]

    def check_shared(self) -> None:
        """Every name in `share` is a parameter that components could have apart."""
        free = {(p.param, p.name): p for p in self.parameters}
        problems = []
        names = [n for key in free for n in key]
        for name in self.options.share:
            if name not in names:
                fixed = any(name in p.fixed for c in self.pieces for p in c)
                message = (
                    f"`{name}` is fixed, so there is nothing to share."
                    if fixed
                    else f"`share` names no parameter of these families: `{name}`; they have "
                    f"{listing(dict.fromkeys(p.param for p in self.parameters))}."
                )
                hint = None if fixed else did_you_mean(name, names)
                problems.append(Problem(message, self.source, self.options.share_span, hint))
        if problems:
            raise SpecError(*problems)

    # Order.

    def apply_order(self) -> None:
        """Mark the parameters that identify the components as increasing."""
        order = self.options.order
        if order is None:
            names = self.default_order()
        elif order == ():
            names = []
        else:
            names = [self.find_order(name, index) for name, index in order]
        for name in names:
            place = next(i for i, p in enumerate(self.parameters) if p.name == name)
            self.parameters[place] = replace(self.parameters[place], order="state")

    def default_order(self) -> list[str]:
        """The location of a homogeneous model, of several the best separated."""
        if len({_shape(component) for component in self.pieces}) > 1:
            return []
        candidates = [
            p
            for p in self.parameters
            if p.axes in (("state",), ("state", "column")) and self.orders(p)
        ]
        if not candidates:
            if self.K > 1:
                self.notes.append(
                    "No location is free to order the components, so their labels may switch."
                )
            return []
        return [self.best(candidates)]

    def orders(self, parameter: Parameter) -> bool:
        return any(
            isinstance(self.arguments[0, j, param.name], Use)
            and self.arguments[0, j, param.name] == Use(parameter.name, by_state=True)
            and param.orders
            for j, piece in enumerate(self.pieces[0])
            for param in piece.family.params
        )

    def best(self, candidates: Sequence[Parameter]) -> str:
        """The candidate (and, of a vector, the column) that the rough split separates best."""
        if len(candidates) == 1 and candidates[0].axes == ("state",):
            return candidates[0].name
        columns = [
            (parameter, column) for parameter in candidates for column in self.columns_of(parameter)
        ]
        values = np.column_stack([numbers(self.table, column) for _, column in columns])
        chosen, column = columns[best_separated(values, self.K)]
        if "column" in chosen.axes:
            self.order_column = self.columns_of(chosen).index(column) + 1
            self.notes.append(f"Components are ordered by `{chosen.name}[{column}]`.")
        else:
            self.notes.append(f"Components are ordered by `{chosen.name}`.")
        return chosen.name

    def columns_of(self, parameter: Parameter) -> tuple[str, ...]:
        """The response columns whose distribution a parameter describes."""
        return next(
            piece.columns
            for j, piece in enumerate(self.pieces[0])
            for param in piece.family.params
            if self.arguments[0, j, param.name] == Use(parameter.name, by_state=True)
        )

    def find_order(self, name: str, index: str | None) -> str:
        """The parameter that `order=name` or `order=name[index]` means."""
        span = self.options.order_span

        def refuse(message: str, hint: str | None = None) -> SpecError:
            return SpecError(Problem(message, self.source, span, hint))

        named = [p for p in self.parameters if name in (p.name, p.param)]
        if not named:
            known = list(dict.fromkeys(p.param for p in self.parameters))
            if any(name in piece.fixed for c in self.pieces for piece in c):
                raise refuse(f"`{name}` is fixed, so it cannot order the components.")
            raise refuse(
                f"`order` names no parameter of these families: `{name}`; they have "
                f"{listing(known)}.",
                did_you_mean(name, known),
            )
        if self.K > 1 and any("state" not in p.axes for p in named):
            if name in self.options.share or named[0].name in self.options.share:
                raise refuse(f"`{name}` is shared, so it cannot order the components.")
            raise refuse(f"`{name}` cannot order the components: they do not all have it alike.")
        if any(p.axes[-1:] == ("accumulator",) for p in named):
            raise refuse(
                f"`{name}` is a vector in each component, so it cannot order them.",
                f"`{self.pieces[0][0].family.name}(order={name})` orders it within",
            )
        if any(p.constraint == "correlation" for p in named):
            raise refuse(f"`{name}` is a correlation matrix, so it cannot order the components.")
        if index is not None:
            matching = [
                p for p in named if index in self.columns_of(p) or p.name == f"{name}_{index}"
            ]
            if not matching:
                columns = dict.fromkeys(c for p in named for c in self.columns_of(p))
                raise refuse(f"`{name}` has no part `{index}`; it has {listing(columns)}.")
            if "column" in matching[0].axes:
                self.order_column = self.columns_of(matching[0]).index(index) + 1
            return matching[0].name
        return self.best(named) if self.K > 1 or "column" in named[0].axes else named[0].name


def _statistics(template: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"\{(\w+)\}", template)))


def _type(param: Param) -> tuple[object, ...]:
    """What must agree for a parameter to be one vector over the components."""
    return (param.axes, param.lower, param.upper, param.link, param.correlation)


def _by_component(first: Parameter, each: Sequence[Parameter]) -> Parameter:
    """`first`, with a prior for each component where their defaults differ."""
    if all(p.priors == first.priors for p in each):
        return first
    priors = (PriorEntry(p.priors[0].prior, (k,)) for k, p in enumerate(each, 1))
    return replace(first, priors=tuple(priors))


# What the left side observes.

_DISCRETE = ("count", "binary")
_WEAKEST = ("real", "positive", "count", "binary")


def _responses(
    pieces: Sequence[Sequence[Piece]], additions: Additions, table: Table, source: str
) -> tuple[Response, ...]:
    """The responses, each with one name in the program however many families observe it."""
    found: dict[tuple[tuple[str, ...], bool], list[tuple[Piece, Column]]] = {}
    brought: dict[str, Column] = {}
    for component in pieces:
        for piece in component:
            for column in piece.family.columns(additions.names):
                if column.addition:
                    brought[column.addition] = column
                else:
                    found.setdefault((piece.columns, column.many), []).append((piece, column))
    problems: list[Problem] = []
    responses: list[Response] = []
    for (columns, many), observers in found.items():
        piece, column = observers[0]
        kinds = {c.kind for _, c in observers}
        if len({kind in _DISCRETE for kind in kinds}) > 1:
            other = next(
                p for p, c in observers if (c.kind in _DISCRETE) != (column.kind in _DISCRETE)
            )
            message = (
                f"`{piece.family.name}` has a density and `{other.family.name}` probabilities, "
                if column.kind not in _DISCRETE
                else f"`{piece.family.name}` has probabilities and `{other.family.name}` a density, "
            )
            message += "which cannot be mixed for one column."
            problems.append(Problem(message, source, other.call.span))
            continue
        # A row must be possible in some component; each gives -inf where it is not possible in it.
        kind = min(kinds, key=_WEAKEST.index)
        name = f"{column.name}_{piece.suffix}" if piece.suffix else column.name
        responses.append(Response(name, kind, columns, many))
        for own in columns:
            response_values(table, own, replace(column, kind=kind))
    if problems:
        raise SpecError(*problems)
    for addition, column in brought.items():
        argument = additions.given[addition]
        if isinstance(argument, syntax.Number):
            responses.append(Response(column.name, column.kind, (), value=int(argument.value)))
            continue
        labels: tuple[str, ...] = ()
        if column.kind == "choice":
            labels = choice_labels(table, argument.text)
        responses.append(Response(column.name, column.kind, (argument.text,), labels=labels))
    return tuple(responses)


# Latent parameters, constants, notes.


def _latent_parameters(options: Options) -> Iterator[Parameter]:
    def simplex(name: str, prior: str, *axes: str) -> Parameter:
        entry = PriorEntry(parse_prior(prior))
        return Parameter(name, axes, (entry,), "simplex", param=name)  # type: ignore[arg-type]

    if options.kind == "mix":
        yield simplex("weights", "dirichlet(2)", "state")
        return
    if options.initial == "free":
        yield simplex("initial", "dirichlet(1)", "state")
    yield simplex("transition", "sticky(4, 1)", "state", "state_to")


def _used_constants(
    spec: ModelSpec, constants: Mapping[str, Constant], unusable: Mapping[str, str]
) -> tuple[Constant, ...]:
    """The constants that priors or bounds still name."""
    texts = [
        argument.text
        for parameter in spec.parameters
        for entry in parameter.priors
        for argument in entry.prior.arguments
    ]
    texts += [parameter.below or "" for parameter in spec.parameters]
    names = set(re.findall(r"\w+", " ".join(texts)))
    bad = [unusable[name] for name in constants if name in names and name in unusable]
    if bad:
        raise DataError(
            *(
                Problem(
                    f"Column `{column}` does not vary, or holds only zeros, so no default prior "
                    "can be scaled from it.",
                    hint="give priors for the parameters of its family, or drop the column",
                )
                for column in dict.fromkeys(bad)
            )
        )
    return tuple(constant for name, constant in constants.items() if name in names)


def _notes(spec: ModelSpec, notes: Sequence[str]) -> Iterator[str]:
    yield from notes
    if spec.K == 1:
        return
    ordered = [p for p in spec.parameters if p.order == "state"]
    for parameter in spec.parameters:
        indexed = any(e.index and not e.increments for e in parameter.priors)
        if ordered and indexed and parameter.constraint == "none":
            yield (
                f"Components have different priors for `{parameter.name}`, so ordering them by "
                f"{listing(p.name for p in ordered)} is part of the model, not only of its labels."
            )
    if not ordered:
        yield "Components are not ordered; their labels may switch between and within chains."
    if spec.initial == "free" and spec.series is None:
        yield "With one series, `initial` is informed by one state; its prior dominates."
