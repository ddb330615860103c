"""Responses of which only limits are known: censored ones, and those seen only between bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.data import MAX_COUNT, WHOLE, Table, bad_rows, is_missing, label_text, numbers
from stanmix.errors import DataError, plural
from stanmix.spec import Response

EXACT, LEFT, RIGHT, INTERVAL = range(4)
"""How a response is known: itself, or that it is at most, above, or above and at most something."""

_MEANINGS = {
    "none": EXACT,
    "0": EXACT,
    "False": EXACT,
    "left": LEFT,
    "-1": LEFT,
    "right": RIGHT,
    "1": RIGHT,
    "True": RIGHT,
    "interval": INTERVAL,
    "2": INTERVAL,
}

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Limits:
    """What is known of a response in every row, as the data hold them.

    Parameters
    ----------
    how
        `EXACT`, `LEFT`, `RIGHT` or `INTERVAL`; `EXACT` also where there is no response.
    ends
        Where the intervals end; the response itself in other rows.
    below, upper
        Responses are seen above `below`, up to `upper`: infinite where there is no such bound.
        Counts may be at their lower bound, so that `below` is one less.
    """

    how: NDArray[np.int64]
    ends: Array
    below: Array
    upper: Array


def read_limits(response: Response, table: Table) -> Limits:
    """The limits of a response. Where the data lack the column of `cens(..)`, all rows are exact.

    Raises
    ------
    DataError
        Columns hold what they must not: an end that is not above the beginning, a response that
        is not between its bounds, ....
    """
    name = response.columns[0]
    values = numbers(table, name, missing=True)
    how = _how(response, table)
    ends = _ends(response, values, how, table)
    whole = response.kind in WHOLE
    seen = response.truncated
    lower = np.full(len(values), -np.inf) if seen is None else _bounds(seen.lower, -1, whole, table)
    upper = np.full(len(values), np.inf) if seen is None else _bounds(seen.upper, 1, whole, table)
    nothing = ~(lower < upper)
    if nothing.any():
        row, rows = int(np.argmax(nothing)), plural(int(nothing.sum()), "row")
        raise DataError(
            f"The bounds of `trunc(..)` leave nothing between them in {rows} (first: "
            f"{table.row(row)}, {lower[row]:g} and {upper[row]:g})."
        )
    below = lower - whole
    early = np.where(how == EXACT, values < lower, values < below)
    early |= (how == LEFT) & (values <= below)
    late = (ends > upper) | ((how == RIGHT) & (values >= upper))
    for bad, bound, what in ((early, lower, "at least"), (late, upper, "at most")):
        if bad.any():
            row = int(np.argmax(bad))
            rule = f"must be {what} {bound[row]:g}, as `trunc(..)` says"
            raise bad_rows(table, name, rule, bad, f"{values[row]:g}")
    return Limits(how, ends, below, upper)


def _how(response: Response, table: Table) -> NDArray[np.int64]:
    known = response.censored
    if known is None or table.missing(known.column):
        return np.full(table.n_rows, EXACT)
    column = table.columns[known.column]
    # Each label is looked at once; what is missing comes last.
    which, labels = pd.factorize(column)
    how = np.array([*(_MEANINGS.get(label_text(label), -1) for label in labels), -1])[which]
    how[is_missing(table, response.columns[0])] = EXACT
    bad = how < 0
    if bad.any():
        row = int(np.argmax(bad))
        shown = "missing" if is_missing(table, known.column)[row] else repr(label_text(column[row]))
        rule = "must hold none, left, right or interval (or 0, -1, 1, 2)"
        raise bad_rows(table, known.column, rule, bad, shown)
    return how


def _ends(response: Response, values: Array, how: NDArray[np.int64], table: Table) -> Array:
    known, interval = response.censored, how == INTERVAL
    if known is None or not interval.any():
        return values
    if known.end is None:
        raise DataError(
            f"Column `{known.column}` says that some rows are intervals, whose ends need a column "
            f"too: cens({known.column}, end)."
        )
    if absent := table.missing(known.end):
        raise DataError(absent)
    given = numbers(table, known.end, missing=True)
    ends = np.where(interval, np.floor(given) if response.kind in WHOLE else given, values)
    bad = interval & ~(ends > values)
    if bad.any():
        end = given[int(np.argmax(bad))]
        rule = f"must be above `{response.columns[0]}` in intervals"
        raise bad_rows(table, known.end, rule, bad, "missing" if np.isnan(end) else f"{end:g}")
    return ends


def _bounds(bound: float | str | None, side: int, whole: bool, table: Table) -> Array:
    """A bound in every row, infinite on its `side` where there is none."""
    if not isinstance(bound, str):
        return np.full(table.n_rows, side * np.inf if bound is None else bound)
    if absent := table.missing(bound):
        raise DataError(absent)
    values = numbers(table, bound)
    bad = whole & ((values != np.floor(values)) | (np.abs(values) >= MAX_COUNT))
    if bad.any():
        shown = f"{values[int(np.argmax(bad))]:g}"
        rule = "must hold whole numbers, since it bounds counts"
        raise bad_rows(table, bound, rule, bad, shown)
    return values
