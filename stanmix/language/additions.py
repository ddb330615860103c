"""The left side of a model line: the response, and what else the rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stanmix.data import MAX_COUNT, Table
from stanmix.errors import DataError, Problem, Span, SpecError, did_you_mean, listing
from stanmix.language import tree
from stanmix.language.limits import Limit, bounds, censoring, plain
from stanmix.language.terms import unusable_name
from stanmix.spec import Censoring, Truncation

ADDITIONS = ("dec", "trials", "unit", "series", "time", "known", "freq", "cens", "trunc")


@dataclass(frozen=True)
class Additions:
    """The additions of the left side.

    Parameters
    ----------
    given
        The argument, by name, of those that have one.
    censored, truncated
        What `cens(..)` and `trunc(..)` say.
    spans
        Where each stands.
    """

    given: Mapping[str, tree.Name | tree.Number]
    censored: Censoring | None
    truncated: Truncation | None
    spans: Mapping[str, Span]

    @property
    def names(self) -> frozenset[str]:
        """Which additions there are."""
        return frozenset(self.given)

    def column(self, name: str) -> str | None:
        """The column of an addition, if it is there and has one."""
        argument = self.given.get(name)
        return argument.text if isinstance(argument, tree.Name) else None


def read_additions(line: tree.ModelLine, kind: str, table: Table, source: str) -> Additions:
    """The additions of a model line.

    Raises
    ------
    SpecError
        Unknown additions, or arguments that an addition cannot have.
    DataError
        The data lack a column of the left side.
    """
    problems: list[Problem] = []
    given: dict[str, tree.Name | tree.Number] = {}
    censored: tuple[tree.Name, ...] = ()
    truncated: tuple[Limit | None, ...] = ()
    spans: dict[str, Span] = {}
    for addition in line.additions:
        name, span = addition.name.text, addition.span
        if name not in ADDITIONS:
            message = f"Unknown addition `{name}`; must be one of {listing(ADDITIONS)}."
            hint = did_you_mean(name, ADDITIONS)
            problems.append(Problem(message, source, addition.name.span, hint))
        elif name in spans:
            problems.append(Problem(f"`{name}(..)` stands twice.", source, span))
        elif kind == "mix" and name in ("series", "time"):
            message = f"A mixture has no order in time, so `{name}(..)` means nothing here."
            problems.append(Problem(message, source, span, "use `hmm(..)` for sequences"))
        elif name == "cens":
            censored = censoring(addition, source, problems)
        elif name == "trunc":
            truncated = bounds(addition, source, problems)
        elif len(addition.args) != 1 or isinstance(addition.args[0], tree.Argument):
            problems.append(Problem(f"`{name}(..)` takes one column.", source, span))
        else:
            argument = addition.args[0]
            if isinstance(argument, tree.Number) and name != "trials":
                problems.append(Problem(f"`{name}(..)` takes a column.", source, argument.span))
            elif isinstance(argument, tree.Number) and not _is_count(argument.value):
                message = "The number of trials must be a positive whole number that Stan can hold."
                problems.append(Problem(message, source, argument.span))
            given[name] = argument
        spans[name] = span
    if kind == "hmm" and "freq" in given and "unit" not in given:
        message = "A row of a series stands at one time, and cannot count several times."
        hint = "rows that share a state have a `unit(..)`"
        problems.append(Problem(message, source, spans["freq"], hint))
    if problems:
        raise SpecError(*problems)
    arguments = [*given.values(), *censored, *truncated]
    named = [a for a in arguments if isinstance(a, tree.Name)]
    named += [name for name in line.response if name.text not in table.matrices]
    missing = [
        Problem(absent, source, column.span, table.hint(column.text))
        for column in named
        if (absent := table.missing(column.text))
    ]
    missing += [
        Problem(unusable, source, column.span)
        for column in named
        if (unusable := unusable_name(column.text))
    ]
    if missing:
        raise DataError(*missing)
    return Additions(
        given,
        Censoring(*(name.text for name in censored)) if censored else None,
        Truncation(*map(plain, truncated)) if truncated else None,
        spans,
    )


def _is_count(value: float) -> bool:
    return value == int(value) and 1 <= value <= MAX_COUNT
