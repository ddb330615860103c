"""Censored and truncated responses, as the additions of a model line say them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from stanmix.data import MAX_COUNT, WHOLE
from stanmix.errors import Problem, SpecError
from stanmix.language import tree
from stanmix.spec import Response

if TYPE_CHECKING:
    from stanmix.language.additions import Additions
    from stanmix.language.pieces import Piece

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


def limited(
    responses: Sequence[Response],
    pieces: Sequence[Sequence[Piece]],
    additions: Additions,
    source: str,
) -> tuple[Response, ...]:
    """The responses with what `cens(..)` and `trunc(..)` say of the one that they are about.

    Raises
    ------
    SpecError
        There are several columns, or families without a distribution function; or counts are
        truncated at what is no count.
    """
    given = [name for name in ("cens", "trunc") if name in additions.spans]
    if not given:
        return tuple(responses)
    problems = list(dict.fromkeys(_problems(responses, pieces, additions, given)))
    if problems:
        raise SpecError(*(replace(p, source=source) for p in problems))
    return tuple(
        r if r.addition else replace(r, censored=additions.censored, truncated=additions.truncated)
        for r in responses
    )


def _problems(
    responses: Sequence[Response],
    pieces: Sequence[Sequence[Piece]],
    additions: Additions,
    given: Sequence[str],
) -> Iterator[Problem]:
    span = additions.spans[given[0]]
    main = [r for r in responses if not r.addition]
    if len(main) > 1 or main[0].many or main[0].kind == "category":
        message = f"`{given[0]}(..)` is for a response of one column, and not of categories."
        yield Problem(message, None, span)
        return
    for piece in (piece for component in pieces for piece in component):
        if not piece.family.has_cumulative(additions.names):
            message = f"`{given[0]}(..)` needs a distribution function, which "
            message += f"`{piece.family.name}` does not have here."
            hint = "leave out `dec(..)`" if piece.family.cumulative else None
            yield Problem(message, None, piece.call.span, hint)
    seen = additions.truncated
    for bound in (seen.lower, seen.upper) if seen and main[0].kind in WHOLE else ():
        if isinstance(bound, float) and (bound != int(bound) or abs(bound) >= MAX_COUNT):
            message = "Counts are truncated at whole numbers."
            yield Problem(message, None, additions.spans["trunc"])
