"""The order in which a program takes the rows of data.

A program wants the rows of a unit together, and units in the order of time within their series.
`Rows` says how the user's rows were arranged, so that answers return in the user's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.data import Table, bad_rows, numbers
from stanmix.errors import DataError, Problem, plural
from stanmix.spec import ModelSpec

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """How the rows are arranged.

    Parameters
    ----------
    order
        The user's row at each place of the program's data.
    unit_size
        Rows of each unit; all 1 where a row is its own unit.
    starts
        The first unit of each series; 0 alone where all units are one series.
    steps
        How many steps of time lead to each unit from the one before; 1 where a series starts.
    unit_labels, series_labels
        The user's names of units and series; their numbers from 0 where there are none.
    """

    order: Integers
    unit_size: Integers
    starts: Integers
    steps: Integers
    unit_labels: tuple[Any, ...]
    series_labels: tuple[Any, ...]

    @property
    def heads(self) -> Integers:
        """The place in the program's data of the first row of each unit."""
        return np.asarray(np.cumsum(self.unit_size) - self.unit_size)

    @property
    def unit_of_row(self) -> Integers:
        """The unit of each of the user's rows."""
        units = np.empty(len(self.order), np.int64)
        units[self.order] = np.repeat(np.arange(len(self.unit_size)), self.unit_size)
        return units

    @property
    def series_of_unit(self) -> tuple[Any, ...]:
        """The user's name of the series of each unit."""
        ends = np.append(self.starts[1:], len(self.unit_size))
        return tuple(np.repeat(np.asarray(self.series_labels, object), ends - self.starts))


def arrange(spec: ModelSpec, table: Table) -> Rows:
    """The order in which a program takes the rows of `table`.

    Series, and units within a series, stand in the order of `time` where it is given, else in the
    order of their first row.

    Raises
    ------
    DataError
        `unit`, `series` or `time` is missing in some row; time repeats, or differs within a unit;
        it has gaps, in which a transition that varies is not known.
    """
    n = table.n_rows
    series = _keys(table, spec.series) if spec.series else np.zeros(n, np.int64)
    unit = _keys(table, spec.unit) if spec.unit else np.arange(n)
    time = _whole_numbers(table, spec.time) if spec.time else None
    # Units are keyed by (series, unit): two subjects may both have a unit 1.
    pairs = pd.MultiIndex.from_arrays([series, unit])
    key, _ = pd.factorize(pairs)
    first = np.full(key.max() + 1, n)
    np.minimum.at(first, key, np.arange(n))
    rank = first[key] if time is None else time
    if time is not None:
        _require_short_units(spec, table, time, first[key])
    order = np.lexsort((np.arange(n), key, rank, series))
    sizes = np.bincount(key[order])[pd.unique(key[order])]
    heads = np.cumsum(sizes) - sizes
    rows = order[heads]
    starts = np.flatnonzero(np.diff(series[rows], prepend=-1))
    steps = np.ones(len(rows), np.int64)
    if time is not None:
        steps = _steps(spec, table, time, rows, starts)
    return Rows(
        order,
        sizes,
        starts,
        steps,
        unit_labels=tuple(table.columns[spec.unit][rows]) if spec.unit else tuple(rows),
        series_labels=tuple(table.columns[spec.series][rows[starts]]) if spec.series else (0,),
    )


def _keys(table: Table, name: str) -> Integers:
    """Numbers from 0 for the values of a column, in order of first appearance."""
    codes, _ = pd.factorize(table.columns[name])
    missing = codes < 0
    if missing.any():
        raise bad_rows(table, name, "must have no missing values", missing, "missing")
    return codes.astype(np.int64)


def _whole_numbers(table: Table, name: str) -> Integers:
    values = numbers(table, name)
    bad = (values != np.floor(values)) | (np.abs(values) > 2**53)
    if bad.any():
        shown = f"{values[int(np.argmax(bad))]:g}"
        raise bad_rows(table, name, "must count time in whole steps", bad, shown)
    return values.astype(np.int64)


def _require_short_units(spec: ModelSpec, table: Table, time: Integers, first: Integers) -> None:
    """Refuse units that last longer than one time; `first` is the first row of each row's unit."""
    longer = time != time[first]
    if longer.any():
        row = int(np.argmax(longer))
        raise DataError(f"Rows of one unit differ in `{spec.time}` (first: {table.row(row)}).")


def _steps(
    spec: ModelSpec, table: Table, time: Integers, rows: Integers, starts: Integers
) -> Integers:
    """How many steps of time lead to each unit; `rows` holds the first row of each unit."""
    steps = np.diff(time[rows], prepend=time[rows[0]])
    steps[starts] = 1
    if (steps == 0).any():
        row = int(rows[steps == 0][0])
        raise DataError(
            Problem(
                f"`{spec.time}` repeats within a series {plural(int((steps == 0).sum()), 'time')} "
                f"(first: {table.row(row)}).",
                hint="name the series with `series(..)`, or what shares a state with `unit(..)`",
            )
        )
    gaps = steps > 1
    if gaps.any() and spec.varies("transition"):
        count, where = int(gaps.sum()), table.row(int(rows[gaps][0]))
        raise DataError(
            Problem(
                f"`{spec.time}` jumps within a series {plural(count, 'time')} (first: {where}, "
                f"after a step of {int(steps[gaps][0])}), and `transition` varies with covariates, "
                "which are not known in between.",
                hint="add rows for the times between, with the covariates and no response",
            )
        )
    return steps
