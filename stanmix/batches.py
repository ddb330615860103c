"""Many data sets of one layout, simulated together: one for each set of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.data import is_missing, read_table
from stanmix.emissions import draw_responses
from stanmix.latent.random import chosen
from stanmix.levels import level
from stanmix.model import Model
from stanmix.program.rows import Rows
from stanmix.simulation import first_state, simulate
from stanmix.spec import ModelSpec, Response, Use

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def responses(
    model: Model, parameters: Mapping[str, Array], rng: np.random.Generator
) -> dict[str, Array]:
    """Responses of the rows of a model's data, for each set of parameters.

    Parameters
    ----------
    model
        The model, whose data have the layout: rows, units, series, trials.
    parameters
        (set, *shape) each, those that `stanmix.simulation.required` lists.
    rng
        What draws.

    Returns
    -------
    dict
        (set, row) for each column of a response; choices and categories as numbers from 1. NaN
        where the data have no response.

    Raises
    ------
    SpecError
        Rows count several times; or as `Model.simulate`.
    """
    count = len(next(iter(parameters.values())))
    if _together(model):
        drawn = _at_once(model, parameters, count, rng)
    else:
        drawn = _one_by_one(model, parameters, count, rng)
    return {
        column: np.where(is_missing(model.table, column), np.nan, _numbers(response, drawn[column]))
        for column, response in _columns(model.spec).items()
    }


def observed(model: Model) -> dict[str, Array]:
    """The responses of a model's data, as those that are simulated: one set."""
    table = model.table
    return {
        column: _numbers(response, table.columns[column].to_numpy(dtype=object)[None])
        for column, response in _columns(model.spec).items()
    }


def _columns(spec: ModelSpec) -> dict[str, Response]:
    """The columns that are drawn, with what they are of."""
    drawn = [r for r in spec.responses if not r.addition or r.kind == "choice"]
    return {column: response for response in drawn for column in response.columns}


def _together(model: Model) -> bool:
    """Whether families can be drawn from with other parameters in each row.

    Not with matrices, nor with cutpoints; and what varies by row in one data set is left to the
    simulation of one.
    """
    spec = model.spec
    if spec.freq is not None or spec.regressions or (model.rows.steps != 1).any():
        return False
    params = [
        (param, spec.parameter(argument.parameter))
        for k in range(spec.K)
        for term in spec.component(k)
        for param, argument in zip(term.declaration.params, term.arguments, strict=True)
        if isinstance(argument, Use)
    ]
    return not any(p.increasing or own.constraint == "correlation" for p, own in params)


def _one_by_one(
    model: Model, parameters: Mapping[str, Array], count: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    drawn: dict[str, list[NDArray[Any]]] = {}
    for i in range(count):
        own = {name: values[i] for name, values in parameters.items()}
        data = simulate(model.spec, model.table, model.rows, model.encoded, own, rng).data
        table = read_table(data)
        for column in _columns(model.spec):
            drawn.setdefault(column, []).append(table.columns[column].to_numpy())
    return {column: np.stack(values) for column, values in drawn.items()}


def _at_once(
    model: Model, parameters: Mapping[str, Array], count: int, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """All data sets as one with so many times the rows."""
    spec, n = model.spec, model.table.n_rows
    states = _states(spec, model.rows, parameters, count, rng)[:, model.rows.unit_of_row]
    tiled = model.table.taken(np.tile(np.arange(n), count))
    sets = np.repeat(np.arange(count), n)
    drawn = draw_responses(spec, tiled, {}, parameters, states.ravel(), rng, sets)
    return {column: values.reshape(count, n) for column, values in drawn.items()}


def _states(
    spec: ModelSpec,
    rows: Rows,
    parameters: Mapping[str, Array],
    count: int,
    rng: np.random.Generator,
) -> Integers:
    """A state, from 0, for every unit of every data set: (set, unit)."""
    u = rng.random((count, len(rows.unit_size)))
    if spec.kind == "mix":
        return chosen(parameters["weights"][:, None], u)
    initial = np.broadcast_to(first_state(spec, parameters), (count, spec.K))
    starts = set(rows.starts.tolist())
    states = np.empty(u.shape, dtype=np.int64)
    for t in range(u.shape[1]):
        chances = initial
        if t not in starts:
            chances = parameters["transition"][np.arange(count), states[:, t - 1]]
        states[:, t] = chosen(chances, u[:, t])
    return states


def _numbers(response: Response, values: NDArray[Any]) -> Array:
    """Values as numbers: choices and categories from 1, in the order of the model."""
    if response.kind not in ("choice", "category"):
        return values.astype(np.float64)
    codes = {label: code for code, label in enumerate(response.labels, 1)}
    found = np.full(values.shape, np.nan)
    for value in pd.unique(values.ravel()):
        if level(value) in codes:
            found[values == value] = codes[level(value)]
    return found
