"""The data block of a program, from a specification and rows of data; and the order of the rows.

A program wants the rows of a unit together, and units in the order of time within their series.
`Rows` says how the user's rows were arranged, so that answers return in the user's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.data import Table, bad_rows, choice_codes, numbers, response_values
from stanmix.design import Encoding, codes_of, encode, levels_of
from stanmix.errors import DataError, Problem, plural
from stanmix.families import Column
from stanmix.program.declare import by_move
from stanmix.spec import Design, ModelSpec, Regression, Response, move_slopes

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
    unit_labels, series_labels
        The user's names of units and series; their numbers from 0 where there are none.
    """

    order: Integers
    unit_size: Integers
    starts: Integers
    unit_labels: tuple[Any, ...]
    series_labels: tuple[Any, ...]

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
        `unit`, `series` or `time` is missing in some row; time repeats, has gaps, or differs
        within a unit.
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
    if time is not None:
        _require_even_time(spec, table, time, rows, starts)
    return Rows(
        order,
        sizes,
        starts,
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


def _require_even_time(
    spec: ModelSpec, table: Table, time: Integers, rows: Integers, starts: Integers
) -> None:
    """Refuse repeated times and gaps; `rows` holds the first row of each unit."""
    steps = np.diff(time[rows])
    inside = np.ones(len(steps), bool)
    inside[starts[1:] - 1] = False
    repeated = inside & (steps == 0)
    if repeated.any():
        row = int(rows[1:][repeated][0])
        raise DataError(
            Problem(
                f"`{spec.time}` repeats within a series {plural(int(repeated.sum()), 'time')} "
                f"(first: {table.row(row)}).",
                hint="name the series with `series(..)`, or what shares a state with `unit(..)`",
            )
        )
    gaps = inside & (steps > 1)
    if gaps.any():
        count, where = int(gaps.sum()), table.row(int(rows[1:][gaps][0]))
        raise DataError(
            f"`{spec.time}` jumps within a series {plural(count, 'time')} (first: {where}, "
            f"after a step of {int(steps[gaps][0])}). Gaps in time cannot be fitted yet."
        )


Encodings = Mapping[Design, Encoding]
"""The designs of a model as encoded in the data it was made with."""


def encodings(spec: ModelSpec, table: Table) -> dict[Design, Encoding]:
    """The encodings of all designs of `spec`, in the data `table` that it was made with."""
    designs = [design for r in spec.regressions for design in r.designs]
    return {design: encode(design, table) for design in dict.fromkeys(designs)}


NewGroups = Literal["error", "draw"]
"""What becomes of groups that the fit has not seen: refused, or drawn from their distribution."""


def groups(spec: ModelSpec, table: Table, new: NewGroups) -> dict[str, tuple[str, ...]]:
    """The groups of every group-level term: those of the fit, then others in `table`.

    Raises
    ------
    DataError
        There are others, and `new` is "error".
    """
    found: dict[str, tuple[str, ...]] = {}
    for effect in spec.group_effects:
        column, known = effect.group.column, effect.group.levels
        if absent := table.missing(column):
            raise DataError(absent)
        unseen = codes_of(table, column, known) < 0
        others = levels_of(table, column, least=1) if unseen.any() else ()
        if unseen.any() and new == "error":
            shown = repr(str(table.columns[column][int(np.argmax(unseen))]))
            error = bad_rows(table, column, "must hold groups of the fit", unseen, shown)
            hint = 'new_groups="draw" draws others from the distribution of groups'
            raise DataError(*(replace(p, hint=hint) for p in error.problems))
        found[effect.group_name] = (*known, *(o for o in others if o not in known))
    return found


def standata(
    spec: ModelSpec,
    table: Table,
    rows: Rows,
    encoded: Encodings,
    *,
    emit: bool = False,
    new_groups: NewGroups = "error",
) -> dict[str, Any]:
    """The data block for these rows.

    Parameters
    ----------
    spec, table
        The model, and data with the columns it needs.
    rows
        What `arrange` returned for them.
    encoded
        How the model encodes covariates.
    emit
        Whether generated quantities return `log_omega`.
    new_groups
        What becomes of groups that the model has not seen.

    Raises
    ------
    DataError
        Values that the families cannot observe, or more components than units.
    """
    data: dict[str, Any] = {"N": table.n_rows, "K": spec.K}
    for response in spec.responses:
        if response.many:
            data["D"] = len(response.columns)
        if response.kind == "choice":
            data["A"] = len(response.labels)
        data[response.name] = observed(response, table)[..., rows.order]
    for constant in spec.constants:
        data[constant.name] = np.asarray(constant.value)
    if spec.order_column is not None:
        data["order_column"] = spec.order_column
    if spec.unit is not None:
        data["U"] = len(rows.unit_size)
        data["unit_size"] = rows.unit_size
    if spec.kind == "hmm":
        first = np.zeros(len(rows.unit_size), np.int64)
        first[rows.starts] = 1
        data["first"] = first
    if by_move(spec):
        data |= _moves(spec, rows)
    if spec.varies("initial"):
        data["S"] = len(rows.starts)
    named = groups(spec, table, new_groups)
    for name, levels in named.items():
        data[f"G_{name}"] = len(levels)
    for regression in spec.regressions:
        data |= _regression(regression, spec, table, rows, encoded, named)
    data["emit"] = int(emit)
    _require_enough_trials(spec, table, data, rows)
    return data


def _moves(spec: ModelSpec, rows: Rows) -> dict[str, Any]:
    """Which moves are allowed, and by which of them each place is reached."""
    data: dict[str, Any] = {"allowed": np.array(spec.moves, dtype=np.int64)}
    if spec.varies("transition"):
        return data | {"M": spec.sizes["move"], "move_slope": np.array(move_slopes(spec.moves))}
    move = np.ones(len(rows.unit_size), np.int64)
    return data | {"G": 1, "steps": np.ones(1, np.int64), "move": move}


def _regression(
    regression: Regression,
    spec: ModelSpec,
    table: Table,
    rows: Rows,
    encoded: Encodings,
    named: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    """The covariates of a regression, less their means in the data of the model."""
    name, data = regression.name, dict[str, Any]()
    centered = regression.parameter is not None

    def placed(values: NDArray[Any], what: str) -> NDArray[Any]:
        return _at_places(values, what, regression, spec, table, rows)

    if regression.columns:
        matrix = placed(encoded[regression.design].matrix(table), ", ".join(regression.columns))
        data[f"P_{name}"] = len(regression.columns)
        data[f"X_{name}"] = matrix - np.asarray(regression.center)
        if centered:
            data[f"X_{name}_mean"] = np.asarray(regression.center)
    if regression.offset is not None:
        added = placed(encoded[regression.offset].matrix(table), "offset")[:, 0]
        data[f"offset_{name}"] = added - regression.offset_center
        if centered and regression.columns:
            data[f"offset_{name}_mean"] = regression.offset_center
    for effect in regression.groups:
        encoding = encoded[effect.design]
        matrix = encoding.matrix(table)
        if encoding.intercept:
            matrix = np.column_stack([np.ones(len(matrix)), matrix])
        codes = codes_of(table, effect.group.column, named[effect.group_name])
        data[f"Q_{effect.name}"] = len(effect.columns)
        data[f"Z_{effect.name}"] = placed(matrix, ", ".join(effect.columns))
        data[f"group_{effect.name}"] = placed(codes + 1, effect.group.column)
    return data


def _at_places(
    values: NDArray[Any],
    what: str,
    regression: Regression,
    spec: ModelSpec,
    table: Table,
    rows: Rows,
) -> NDArray[Any]:
    """Values of rows at what has a value of the parameter: rows, units or series.

    Raises
    ------
    DataError
        They differ within a unit or a series.
    """
    arranged = values[rows.order]
    if regression.place == "row":
        return arranged
    heads = np.cumsum(rows.unit_size) - rows.unit_size
    column = spec.unit
    if regression.place == "series":
        heads, column = heads[rows.starts], spec.series
    sizes = np.diff(np.append(heads, len(arranged)))
    differs = arranged != np.repeat(arranged[heads], sizes, axis=0)
    if differs.any():
        place = int(np.argmax(differs.reshape(len(arranged), -1).any(axis=1)))
        which = "one series" if column is None else f"one `{column}`"
        raise DataError(
            f"Covariates of `{regression.name}` must be the same within {which}; `{what}` differs "
            f"(first: {table.row(int(rows.order[place]))})."
        )
    return np.asarray(arranged[heads])


def observed(response: Response, table: Table) -> NDArray[Any]:
    """The values of a response, (row,) or (column, row), in the user's order and checked."""
    if response.value is not None:
        return np.full(table.n_rows, response.value)
    missing = [m for column in response.columns if (m := table.missing(column))]
    if missing:
        raise DataError(*missing)
    if response.kind == "choice":
        return choice_codes(table, response.columns[0], response.labels)
    column = Column(response.kind)
    values = [response_values(table, name, column) for name in response.columns]
    return np.stack(values) if response.many else values[0]


def _require_enough_trials(
    spec: ModelSpec, table: Table, data: Mapping[str, Any], rows: Rows
) -> None:
    """Refuse more successes than trials, where every component counts successes."""
    observers = [[t for t in c if "trials" in t.responses] for c in spec.emissions]
    for term in observers[0]:
        if not all(any(t.responses == term.responses for t in other) for other in observers):
            continue
        successes = data[term.responses[0]]
        over = successes > data["trials"]
        if over.any():
            place = int(np.argmax(over))
            column = spec.response(term.responses[0]).columns[0]
            shown = f"{successes[place]} of {data['trials'][place]}"
            raise DataError(
                f"Column `{column}` exceeds its trials in {plural(int(over.sum()), 'row')} "
                f"(first: {table.row(rows.order[place])}, {shown})."
            )
