"""The response columns of a model, each with one name however many families observe it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from stanmix.data import (
    MAX_CHOICES,
    MAX_COUNT,
    WHOLE,
    Table,
    choice_labels,
    is_missing,
    response_values,
)
from stanmix.errors import DataError, Problem, SpecError, listing
from stanmix.families import Column
from stanmix.language import tree
from stanmix.language.additions import Additions
from stanmix.language.pieces import Piece
from stanmix.levels import levels_of
from stanmix.spec import Response

_DISCRETE = ("count", "binary", "category")
_WEAKEST = ("real", "angle", "positive", "unit", "simplex", "count", "binary", "category")


def read_responses(
    pieces: Sequence[Sequence[Piece]], additions: Additions, table: Table, source: str
) -> tuple[Response, ...]:
    """The responses of a model, checked against what its families may observe.

    Raises
    ------
    SpecError
        One column has both a density and probabilities, or a family is for fewer or more choices.
    DataError
        Values that no family observes.
    """
    found: dict[tuple[tuple[str, ...], bool], list[tuple[Piece, Column]]] = {}
    brought: dict[str, list[tuple[Piece, Column]]] = {}
    for component in pieces:
        for piece in component:
            for column in piece.family.columns(additions.names):
                if column.addition:
                    brought.setdefault(column.addition, []).append((piece, column))
                else:
                    found.setdefault((piece.columns, column.many), []).append((piece, column))
    problems: list[Problem] = list(_mixed_shares(pieces, source))
    responses: list[Response] = []
    for (columns, many), observers in found.items():
        piece, column = observers[0]
        kinds = {c.kind for _, c in observers}
        if len({kind in _DISCRETE for kind in kinds}) > 1:
            other = next(
                p for p, c in observers if (c.kind in _DISCRETE) != (column.kind in _DISCRETE)
            )
            first, second = ("a density", "probabilities")
            if column.kind in _DISCRETE:
                first, second = second, first
            message = f"`{piece.family.name}` has {first} and `{other.family.name}` {second}, "
            message += "which cannot be mixed for one column."
            problems.append(Problem(message, source, other.call.span))
            continue
        if "category" in kinds and len(kinds) > 1:
            other = next(p for p, c in observers if c.kind != column.kind)
            message = f"`{piece.family.name}` and `{other.family.name}` cannot be mixed for one "
            message += "column: one has categories, the other numbers."
            problems.append(Problem(message, source, other.call.span))
            continue
        # A row must be possible in some component; each gives -inf where it is not possible in it.
        kind = min(kinds, key=_WEAKEST.index)
        name = f"{column.name}_{piece.suffix}" if piece.suffix else column.name
        some = any(is_missing(table, own).any() for own in columns)
        labels: tuple[str, ...] = ()
        if kind == "category":
            ordering = next((p for p, c in observers if c.ordered), None)
            if ordering and not _has_order(table, columns[0]):
                message = f"The categories of column `{columns[0]}` have no order, which "
                message += f"`{ordering.family.name}` needs."
                hint = "numbers have one, and a pandas Categorical with `ordered=True`"
                raise DataError(Problem(message, source, ordering.call.span, hint))
            labels = _categories(table, columns[0])
        responses.append(Response(name, kind, columns, many, labels=labels, missing=some))
        for own in columns if not labels else ():
            if not len(response_values(table, own, replace(column, kind=kind))):
                raise DataError(f"Column `{own}` has no values: all rows are missing.")
    if problems:
        raise SpecError(*problems)
    # Where there is no response, what goes with it may be missing too.
    absent = np.all([is_missing(table, c) for r in responses for c in r.columns], axis=0)
    for addition, users in brought.items():
        column = users[0][1]
        argument = additions.given[addition]
        if isinstance(argument, tree.Number):
            value = int(argument.value)
            responses.append(Response(column.name, column.kind, (), value=value, addition=addition))
            continue
        labels = ()
        if column.kind == "choice":
            labels = choice_labels(table, argument.text, absent)
            _require_choices(users, argument.text, labels, source)
        responses.append(
            Response(column.name, column.kind, (argument.text,), labels=labels, addition=addition)
        )
    return _limited(responses, pieces, additions, source)


def _has_order(table: Table, name: str) -> bool:
    """Whether the categories of a response are numbers, or say themselves that they are ordered."""
    kind = table.columns[name].dtype
    return bool(kind.ordered) if isinstance(kind, pd.CategoricalDtype) else kind.kind in "iuf"


def _mixed_shares(pieces: Sequence[Sequence[Piece]], source: str) -> Iterator[Problem]:
    """Shares that are a point of a simplex to one family, and of all space to another."""
    of_shares: dict[bool, Piece] = {}
    for component in pieces:
        for piece in component:
            of_shares.setdefault(piece.family.response[0].kind == "simplex", piece)
    if len(of_shares) > 1:
        shares, other = of_shares[True], of_shares[False]
        message = f"`{shares.family.name}` and `{other.family.name}` cannot be mixed for one "
        message += "response: one has a density of shares that sum to 1, the other of free numbers."
        yield Problem(message, source, other.call.span)


def _require_choices(
    users: Sequence[tuple[Piece, Column]], name: str, labels: tuple[str, ...], source: str
) -> None:
    """Raise SpecError if a family is for another number of choices than a column holds."""
    for piece, column in users:
        if column.choices not in (None, len(labels)):
            message = f"`{piece.family.name}` is for {column.choices} choices, and `{name}` holds "
            message += "the one " if len(labels) == 1 else f"{len(labels)}: "
            fewer = len(labels) < column.choices
            hint = "a pandas Categorical column may name choices that do not occur"
            problem = Problem(
                f"{message}{listing(labels)}.", source, piece.call.span, hint if fewer else None
            )
            raise SpecError(problem)


def _categories(table: Table, name: str) -> tuple[str, ...]:
    """The categories of a response, of which there are some, but not very many."""
    if is_missing(table, name).all():
        raise DataError(f"Column `{name}` has no values: all rows are missing.")
    # As a choice that nobody made, a category that does not occur is one still.
    labels = levels_of(table, name, least=1, missing=True, unused=True)
    if not 2 <= len(labels) <= MAX_CHOICES:
        count = "the one category" if len(labels) == 1 else f"{len(labels)} categories"
        raise DataError(f"Column `{name}` holds {count}; there must be 2 to {MAX_CHOICES}.")
    return labels


def _limited(
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
    problems = list(dict.fromkeys(_limit_problems(responses, pieces, additions, given)))
    if problems:
        raise SpecError(*(replace(p, source=source) for p in problems))
    return tuple(
        r if r.addition else replace(r, censored=additions.censored, truncated=additions.truncated)
        for r in responses
    )


def _limit_problems(
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
