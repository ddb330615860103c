"""The arguments of `cens(..)` and `trunc(..)`."""

from __future__ import annotations

import itertools
from typing import TypeAlias

from stanmix.errors import Problem
from stanmix.language import tree

Limit: TypeAlias = tree.Name | tree.Number


def censoring(
    addition: tree.Addition, source: str, problems: list[Problem]
) -> tuple[tree.Name, ...]:
    """The column that says how rows are censored, and perhaps the one of the ends of intervals."""
    names = tuple(a for a in addition.args if isinstance(a, tree.Name))
    if len(names) != len(addition.args) or len(names) > 2:
        message = "`cens(..)` takes the column that says how a row is censored, and perhaps one "
        problems.append(Problem(f"{message}of the ends of intervals.", source, addition.span))
    return names[:2]


def bounds(
    addition: tree.Addition, source: str, problems: list[Problem]
) -> tuple[Limit | None, Limit | None]:
    """The lower and the upper bound of `trunc(..)`."""
    found: dict[str, Limit] = {}
    for name, argument in itertools.zip_longest(("lb", "ub"), addition.args):
        value = argument
        if isinstance(argument, tree.Argument):
            name, value = argument.name.text, argument.value
        if value is None:
            break
        if name not in ("lb", "ub") or name in found or not isinstance(value, Limit):
            message = "`trunc(..)` takes a lower and an upper bound: numbers, or columns."
            hint = "`trunc(lb=0)` has one of them"
            problems.append(Problem(message, source, argument.span, hint))
        else:
            found[name] = value
    lower, upper = found.get("lb"), found.get("ub")
    numbers = [bound.value for bound in (lower, upper) if isinstance(bound, tree.Number)]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        message = "These bounds leave nothing between them."
        problems.append(Problem(message, source, addition.span))
    return lower, upper


def plain(limit: Limit | None) -> float | str | None:
    """A column's name, or a number."""
    if limit is None:
        return None
    return limit.text if isinstance(limit, tree.Name) else float(limit.value)
