"""The response columns of a model, each with one name however many families observe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stanmix.data import MAX_CHOICES, Table, choice_labels, is_missing, response_values
from stanmix.errors import DataError, Problem, SpecError, listing
from stanmix.families import Column
from stanmix.language import tree
from stanmix.language.additions import Additions
from stanmix.language.pieces import Piece
from stanmix.levels import levels_of
from stanmix.spec import Response

_DISCRETE = ("count", "binary", "category")
_WEAKEST = ("real", "angle", "positive", "unit", "count", "binary", "category")


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
    problems: list[Problem] = []
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
    return tuple(responses)


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
    labels = levels_of(table, name, least=1, missing=True)
    if not 2 <= len(labels) <= MAX_CHOICES:
        count = "the one category" if len(labels) == 1 else f"{len(labels)} categories"
        raise DataError(f"Column `{name}` holds {count}; there must be 2 to {MAX_CHOICES}.")
    return labels
