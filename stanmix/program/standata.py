"""The data block of a program, from a specification and rows of data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stanmix.data import (
    Table,
    bad_rows,
    choice_codes,
    frequencies,
    is_missing,
    known_states,
    require_known,
    require_whole,
    response_values,
)
from stanmix.design import Encodings
from stanmix.errors import DataError, SpecError, listing, plural
from stanmix.families import Column
from stanmix.levels import codes_of, levels_of
from stanmix.links import bound_by_row
from stanmix.program import limits
from stanmix.program.declare import by_move, order_name
from stanmix.program.rows import Rows
from stanmix.spec import ModelSpec, Regression, Response, move_slopes

NewGroups = Literal["error", "draw"]
"""What becomes of groups that the fit has not seen: refused, or drawn from their distribution."""


def groups(spec: ModelSpec, table: Table, new: NewGroups) -> dict[str, tuple[str, ...]]:
    """The groups of every group-level term: those of the fit, then others in `table`.

    Raises
    ------
    DataError
        There are others, and `new` is "error".
    """
    if new not in ("error", "draw"):
        raise SpecError(f'`new_groups` is "error" or "draw", not {new!r}.')
    found: dict[str, tuple[str, ...]] = {}
    for effect in spec.group_effects:
        column, known = effect.group.column, effect.group.levels
        if absent := table.missing(column):
            raise DataError(absent)
        unseen = codes_of(table, column, known) < 0
        others = levels_of(table, column, least=1) if unseen.any() else ()
        if unseen.any() and new == "error":
            shown = repr(str(table.columns[column][int(np.argmax(unseen))]))
            hint = 'new_groups="draw" draws others from the distribution of groups'
            raise bad_rows(table, column, "must hold groups of the fit", unseen, shown, hint)
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
        data |= _response(response, spec, table, rows)
    for constant in spec.constants:
        data[constant.name] = np.asarray(constant.value)
    for parameter in spec.parameters:
        if parameter.place is not None:
            data[order_name(parameter)] = parameter.place
    if spec.unit is not None:
        data["U"] = len(rows.unit_size)
        data["unit_size"] = rows.unit_size
    if spec.freq is not None:
        data["freq"] = frequencies(table, spec.freq)[rows.order].astype(np.float64)
    if spec.known is not None:
        data["possible"] = possible_states(spec, table, rows).T.astype(np.int64)
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


def possible_states(spec: ModelSpec, table: Table, rows: Rows) -> NDArray[np.bool_]:
    """Which states every unit may have, as far as is known: (unit, state).

    Raises
    ------
    DataError
        A label is none, or those of a unit exclude each other.
    """
    if spec.known is None or table.missing(spec.known):
        return np.ones((len(rows.unit_size), spec.K), dtype=np.bool_)
    heads = rows.heads
    by_row = known_states(table, spec.known, spec.K)[rows.order]
    possible = np.logical_and.reduceat(by_row, heads, axis=0)
    none = ~possible.any(axis=1)
    if none.any():
        row = table.row(int(rows.order[heads[int(np.argmax(none))]]))
        raise DataError(
            f"Labels `{spec.known}` of rows that share a state exclude each other (first: the "
            f"unit of {row})."
        )
    return np.asarray(possible)


def _moves(spec: ModelSpec, rows: Rows) -> dict[str, Any]:
    """Which moves are allowed, and by which of them each place is reached."""
    allowed = np.array(spec.moves, dtype=np.int64)
    varies, data = spec.varies("transition"), dict[str, Any]()
    if varies or spec.allowed is not None:
        data["allowed"] = allowed
    if varies:
        return data | {"M": spec.sizes["move"], "move_slope": np.array(move_slopes(spec.moves))}
    steps, move = np.unique(rows.steps, return_inverse=True)
    reach = np.stack([np.linalg.matrix_power(allowed.astype(bool), int(n)) for n in steps])
    digits = int(steps.max()).bit_length()
    binary = (steps[:, None] >> np.arange(digits)) & 1
    moves = {"binary": binary, "reach": reach.astype(np.int64), "move": move + 1}
    return data | {"G": len(steps), "B": digits, **moves}


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
        if centered:
            data[f"offset_{name}_mean"] = regression.offset_center
    if regression.bound is not None:
        bounds = bound_by_row(regression.bound, table)
        data[f"bound_{name}"] = placed(bounds, regression.bound.group.column)
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
    heads = rows.heads
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


def _response(response: Response, spec: ModelSpec, table: Table, rows: Rows) -> dict[str, Any]:
    """The values of a response, checked, and which rows have one."""
    name = response.name
    if response.value is not None:
        return {name: np.full(table.n_rows, response.value)}
    absent = [m for column in response.columns if (m := table.missing(column))]
    if absent:
        raise DataError(*absent)
    if response.addition:
        return {name: _companion(response, spec, table)[rows.order]}
    if response.kind == "category":
        return _category(response, table, rows)
    column = Column(response.kind)
    whole = response.kind in ("count", "binary")
    values = np.full((len(response.columns), table.n_rows), PLACEHOLDER[response.kind])
    seen = np.stack([~is_missing(table, c) for c in response.columns])
    for own, values_of_one, seen_of_one in zip(response.columns, values, seen, strict=True):
        values_of_one[seen_of_one] = response_values(table, own, column)
    if response.kind == "simplex":
        require_whole(table, response.columns)
    values, seen = values[:, rows.order], seen[:, rows.order]
    data: dict[str, Any] = {name: values if response.many else values[0]}
    data |= limits.values(response, seen[0], table, rows)
    if whole:
        data[name] = data[name].astype(np.int64)
    if not response.missing:
        if not seen.all():
            raise DataError(f"Column `{response.columns[0]}` must have no missing values here.")
        return data
    if response.partial:
        patterns, which = np.unique(seen, axis=1, return_inverse=True)
        data[f"patterns_{name}"] = patterns.shape[1]
        data[f"seen_{name}"] = patterns.T.astype(np.int64)
        data[f"pattern_size_{name}"] = np.bincount(np.ravel(which))
        data[f"arranged_{name}"] = np.argsort(np.ravel(which), kind="stable") + 1
    else:
        data[f"N_{name}"] = int(seen[0].sum())
        data[f"rows_{name}"] = np.flatnonzero(seen[0]) + 1
    return data


def _category(response: Response, table: Table, rows: Rows) -> dict[str, Any]:
    """The categories of a response by their codes, and which rows have one."""
    name, (own,) = response.name, response.columns
    codes = codes_of(table, own, response.labels, missing=response.missing)
    seen = ~is_missing(table, own)
    unknown = seen & (codes < 0)
    if unknown.any():
        shown = repr(str(table.columns[own][int(np.argmax(unknown))]))
        known = f"must hold one of {listing(response.labels)}"
        raise bad_rows(table, own, known, unknown, shown)
    data: dict[str, Any] = {f"C_{name}": len(response.labels)}
    data[name] = np.where(seen, codes + 1, 1)[rows.order]
    if response.missing:
        data[f"N_{name}"] = int(seen.sum())
        data[f"rows_{name}"] = np.flatnonzero(seen[rows.order]) + 1
    return data


PLACEHOLDER = {
    "real": 0.0,
    "positive": 1.0,
    "unit": 0.5,
    "angle": 0.0,
    "count": 0.0,
    "binary": 0.0,
    "simplex": 0.5,
}
"""What stands in the data block where a row has no value; nothing looks at it."""


def _companion(response: Response, spec: ModelSpec, table: Table) -> NDArray[Any]:
    """Trials or choices; they may be missing where all that they go with is."""
    name = response.columns[0]
    mains = [c for r in spec.responses if not r.addition for c in r.columns]
    optional = np.all([is_missing(table, c) for c in mains], axis=0)
    if response.kind == "choice":
        return choice_codes(table, name, response.labels, optional)
    require_known(table, name, optional)
    values = np.ones(table.n_rows, np.int64)
    values[~is_missing(table, name)] = response_values(table, name, Column(response.kind))
    return values


def values_by_row(response: Response, data: Mapping[str, Any]) -> NDArray[np.float64]:
    """A response in a data block, NaN where a row has no value: (row) or (column, row)."""
    values = np.array(data[response.name], dtype=np.float64)
    if response.partial:
        name = response.name
        sizes = np.asarray(data[f"pattern_size_{name}"])
        arranged = np.asarray(data[f"arranged_{name}"]) - 1
        unseen = np.empty_like(values, dtype=np.bool_)
        unseen[:, arranged] = np.repeat(np.asarray(data[f"seen_{name}"]) == 0, sizes, axis=0).T
        values[unseen] = np.nan
    elif response.missing:
        absent = np.ones(values.shape[-1], dtype=np.bool_)
        absent[data[f"rows_{response.name}"] - 1] = False
        values[..., absent] = np.nan
    return values


def with_missing(spec: ModelSpec, table: Table) -> ModelSpec:
    """`spec`, ready for the rows of `table` that have no response."""

    def is_absent(response: Response) -> bool:
        known = [c for c in response.columns if table.missing(c) is None]
        return not response.addition and any(is_missing(table, c).any() for c in known)

    responses = tuple(replace(r, missing=True) if is_absent(r) else r for r in spec.responses)
    return spec if responses == spec.responses else replace(spec, responses=responses)


def _require_enough_trials(
    spec: ModelSpec, table: Table, data: Mapping[str, Any], rows: Rows
) -> None:
    """Refuse more successes than trials, where every component counts successes."""
    observers = [[t for t in c if "trials" in t.responses] for c in spec.emissions]
    for term in observers[0]:
        if not all(any(t.responses == term.responses for t in other) for other in observers):
            continue
        successes = data[term.responses[0]]
        seen = ~np.isnan(values_by_row(spec.response(term.responses[0]), data))
        over = seen & (successes > data["trials"])
        if over.any():
            place = int(np.argmax(over))
            column = spec.response(term.responses[0]).columns[0]
            shown = f"{successes[place]} of {data['trials'][place]}"
            raise DataError(
                f"Column `{column}` exceeds its trials in {plural(int(over.sum()), 'row')} "
                f"(first: {table.row(rows.order[place])}, {shown})."
            )
