"""Responses that the model predicts: of rows of the fit, of new ones, and of the future."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stanmix.data import Table, numbers, read_table
from stanmix.emissions import draw_responses, matrices_of
from stanmix.errors import DataError, SpecError, listing, require_count, require_one_of
from stanmix.program.rows import arrange
from stanmix.program.standata import NewGroups
from stanmix.questions.asking import THIN, Asked, Block, ask, require_kind
from stanmix.questions.paths import drawn_states
from stanmix.spec import ModelSpec

if TYPE_CHECKING:
    from stanmix.fit import Fit
    from stanmix.model import Model

Integers = NDArray[np.int64]

Given = Literal["nothing", "responses"]
"""What predicted states know."""


def predict(
    fit: Fit,
    newdata: Any = None,
    *,
    given: Given = "nothing",
    draws: int | None = THIN,
    new_groups: NewGroups = "error",
    seed: int | None = None,
) -> xr.Dataset:
    """Responses drawn from the posterior predictive distribution, one for each row and draw.

    Parameters
    ----------
    newdata
        Other rows, with covariates and what else the model needs of them; the rows of the fit if
        not given. Responses need not be there.
    given
        What is known of the states. "nothing": they are drawn from the model, as those of data not
        yet seen. "responses": they are drawn given the responses of all rows, so that what is
        predicted are responses of the same rows, seen again in the same states.
    draws, new_groups
        As in `responsibility`.
    seed
        Seed of what is drawn; that of the fit if not given.

    Returns
    -------
    Dataset
        A variable (chain, draw, obs) for each column of the response, and the coordinate `states`,
        the states they are drawn in, from 1. Categories and choices have their names.

    Raises
    ------
    SpecError
        `given` or `draws` make no sense.
    DataError
        `newdata` do not fit the model.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.predict()["y"].sizes["obs"]
    8
    >>> again = f.predict(given="responses")["y"].median(["chain", "draw"])
    >>> again.round().values
    array([0., 0., 0., 0., 5., 5., 5., 5.])
    """
    require_one_of("given", given, get_args(Given))
    asked = ask(fit, newdata, draws, new_groups, seed)
    _require_trials(asked.model, asked.table)
    if given == "nothing":
        asked = replace(asked, table=without_responses(asked.model, asked.table))
    return _drawn(asked, np.arange(asked.table.n_rows))


def forecast(
    fit: Fit,
    h: int | None = None,
    *,
    newdata: Any = None,
    draws: int | None = THIN,
    new_groups: NewGroups = "error",
    seed: int | None = None,
) -> xr.Dataset:
    """The next states and responses of each series, of a hidden Markov model.

    Each draw goes on from where its chain is likely to be at the last row of the fit.

    Parameters
    ----------
    h
        How many steps; where `newdata` are given, those.
    newdata
        The rows to predict, in the order of time, with `series`, `time` and covariates where the
        model has them. Needed where it has covariates, or other columns that are not known ahead.
    draws, new_groups, seed
        As in `predict`.

    Returns
    -------
    Dataset
        As of `predict`, for the rows ahead, with the coordinates `step` (from 1), and `series` and
        `time` where the model has them.

    Raises
    ------
    SpecError
        The model is a mixture; `h` is no whole number from 1 on, or needs `newdata`.
    DataError
        `newdata` do not fit the model, or do not lie ahead of its rows.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0, 1, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> ahead = f.forecast(3)
    >>> ahead["y"].sizes["obs"], ahead["step"].values
    (3, array([1, 2, 3]))
    """
    require_kind(fit, "hmm", "forecast", "predict()")
    if newdata is None:
        ahead = _next_rows(fit, h)
    elif h is not None:
        raise SpecError("Give `h`, or `newdata`, whose rows are the steps.")
    else:
        ahead = read_table(newdata)
        _require_trials(fit.model, ahead)
    spec, past = fit.model.spec, fit.model.table
    ahead = without_responses(fit.model, ahead)
    joined = _joined(past, ahead, spec)
    places = np.arange(past.n_rows, joined.n_rows)
    asked = replace(
        ask(fit, None, draws, new_groups, seed), table=joined, rows=arrange(spec, joined)
    )
    steps = _steps_ahead(asked, past.n_rows)
    found = _drawn(asked, places).assign_coords(obs=ahead.labels, step=("obs", steps))
    for name, column in (("series", spec.series), ("time", spec.time)):
        if column is not None:
            found = found.assign_coords({name: ("obs", ahead.columns[column].to_numpy())})
    return found


def without_responses(model: Model, table: Table) -> Table:
    """Rows whose responses are not known, whether they are there or not."""
    columns: dict[str, pd.Series] = {}
    for response in model.spec.responses:
        if not response.addition or response.kind == "choice":
            for name in response.columns:
                kind = model.table.columns[name].dtype
                kind = np.dtype(np.float64) if kind.kind in "iufb" else kind
                columns[name] = pd.Series([np.nan] * table.n_rows, dtype=kind)
    return replace(table, columns={**table.columns, **columns})


def _require_trials(model: Model, table: Table) -> None:
    """Raise DataError where the number of trials of a row is not known: it has no prediction."""
    for response in model.spec.responses:
        if response.addition == "trials":
            for name in response.columns:
                if message := table.missing(name):
                    raise DataError(message)
                numbers(table, name)


def _drawn(asked: Asked, places: Integers) -> xr.Dataset:
    """States and responses of some of the rows, by draw."""
    rng = asked.random("states")
    spec, table = asked.spec, asked.table.taken(places)
    matrices, unit = matrices_of(asked.model.encoded, table), asked.rows.unit_of_row[places]
    observed = [r for r in spec.responses if not r.addition or r.kind == "choice"]
    columns: dict[str, list[Any]] = {name: [] for r in observed for name in r.columns}
    states: list[Integers] = []

    def respond(block: Block) -> Integers:
        drawn = drawn_states(block, rng)
        for i, state in enumerate(drawn[:, unit]):
            at = {name: values[i] for name, values in block.at.items()}
            values = draw_responses(spec, table, matrices, at, state, rng)
            for name, drawings in columns.items():
                # Rows that no component can have have no state, and no response.
                drawings.append(values.get(name, np.full(len(state), np.nan)))
            states.append(state + 1)
        return drawn

    for _ in asked.in_order(respond):
        pass
    obs = {"obs": table.labels}
    found = {name: asked.over_draws(np.stack(values), obs) for name, values in columns.items()}
    return xr.Dataset(found).assign_coords(states=asked.over_draws(np.stack(states), obs))


def _next_rows(fit: Fit, h: Any) -> Table:
    """The next `h` rows of each series, of a model that needs to know nothing of them."""
    require_count("h", h, 1)
    spec, table, rows = fit.model.spec, fit.model.table, fit.model.rows
    needed = [c for r in spec.responses if r.addition == "trials" for c in r.columns]
    needed += [c for r in spec.responses for c in r.limits if c in _bounds(spec)]
    needed += spec.covariates
    if needed:
        raise SpecError(
            f"The model needs {listing(dict.fromkeys(needed))} of the rows ahead: give them as "
            "`newdata`."
        )
    lasts = rows.order[rows.heads[np.append(rows.starts[1:], len(rows.unit_size)) - 1]]
    steps = np.tile(np.arange(1, h + 1), len(lasts))
    columns: dict[str, pd.Series] = {}
    if spec.series is not None:
        columns[spec.series] = table.columns[spec.series].iloc[np.repeat(lasts, h)]
    if spec.time is not None:
        times = table.columns[spec.time].iloc[np.repeat(lasts, h)].to_numpy()
        columns[spec.time] = pd.Series(times + steps)
    if spec.unit is not None:
        columns[spec.unit] = pd.Series([f"next {i}" for i in range(len(steps))], dtype=object)
    own = {name: column.reset_index(drop=True) for name, column in columns.items()}
    return Table(own, {}, len(steps), pd.RangeIndex(len(steps)))


def _bounds(spec: ModelSpec) -> set[str]:
    """The columns that bound what is seen of responses."""
    seen = [r.truncated for r in spec.responses if r.truncated is not None]
    return {b for t in seen for b in (t.lower, t.upper) if isinstance(b, str)}


def _joined(past: Table, ahead: Table, spec: ModelSpec) -> Table:
    """Rows of the fit and those ahead of them.

    Raises
    ------
    DataError
        Some of these do not come after those of their series, or lack columns.
    """
    named = [c for c in (spec.series, spec.time, spec.unit) if c is not None]
    absent = [m for c in (*named, *spec.covariates) if (m := ahead.missing(c))]
    if absent:
        raise DataError(*absent)
    columns: dict[str, pd.Series] = {}
    for name, column in past.columns.items():
        unknown = 1.0 if name == spec.freq else np.nan
        more = ahead.columns.get(name, pd.Series(np.full(ahead.n_rows, unknown)))
        kinds = {column.dtype, more.dtype}
        alike = len(kinds) == 1 or all(k.kind in "iufb" for k in kinds)
        parts = [column, more] if alike else [column.astype(object), more.astype(object)]
        columns[name] = pd.concat(parts, ignore_index=True)
    if spec.time is not None:
        _require_ahead(columns, past, ahead, spec)
    labels = past.labels.astype(object).append(ahead.labels.astype(object))
    return Table(columns, past.matrices, past.n_rows + ahead.n_rows, labels)


def _require_ahead(
    columns: Mapping[str, pd.Series], past: Table, ahead: Table, spec: ModelSpec
) -> None:
    times = numbers(past, str(spec.time))
    series = past.columns[spec.series] if spec.series else pd.Series(np.zeros(past.n_rows))
    last = pd.Series(times).groupby(series.to_numpy()).max()
    own = ahead.columns[spec.series] if spec.series else pd.Series(np.zeros(ahead.n_rows))
    behind = numbers(ahead, str(spec.time)) <= own.map(last).fillna(-np.inf).to_numpy()
    if behind.any():
        row = int(np.argmax(behind))
        raise DataError(
            f"`{spec.time}` must be later than in the fit; {ahead.row(row)} of `newdata` is not."
        )


def _steps_ahead(asked: Asked, n_past: int) -> Integers:
    """How many units of its series each row ahead lies after the last of the fit."""
    rows = asked.rows
    is_past = np.ones(len(rows.order), dtype=np.bool_)
    is_past[n_past:] = False
    unit = rows.unit_of_row
    old = np.zeros(len(rows.unit_size), dtype=np.bool_)
    old[unit[is_past]] = True
    series = np.searchsorted(rows.starts, np.arange(len(old)), side="right") - 1
    known = np.bincount(series, weights=old, minlength=len(rows.starts)).astype(np.int64)
    place = np.arange(len(old)) - rows.starts[series]
    return np.asarray((place - known[series] + 1)[unit[~is_past]])
