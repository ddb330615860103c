"""Fits of a model to part of its data, for what importance sampling cannot do.

Rows are left out by taking their responses for missing. So priors, levels and groups are those of
the model, and of a group that has no rows left the effects are drawn from the distribution of
groups. Labels that are known stay known. Only bounds that the responses set, such as the shortest
response time, are those of the rows that remain: they are where the likelihood of these rows is 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.data import Table, frequencies
from stanmix.importance import log_mean
from stanmix.language.constants import Constants
from stanmix.levels import codes_of
from stanmix.program.standata import standata, with_missing
from stanmix.questions.asking import Asked, thinned
from stanmix.questions.terms import LeftOut, Mask
from stanmix.spec import ModelSpec, Regression, Response, Use

if TYPE_CHECKING:
    from stanmix.fit import Fit
    from stanmix.model import Model

Array = NDArray[np.float64]


def fit_without(fit: Fit, rows: Mask, number: int) -> Fit:
    """A fit of the same model, by the same engine and settings, to the other rows.

    Chains start at draws of `fit`.

    Parameters
    ----------
    fit
        The fit to all rows.
    rows
        The rows, in the user's order, whose responses it must not see.
    number
        Tells this fit from others of the kind: its seed is that of `fit`, moved by it.
    """
    return _fitted(fit, without_responses_of(fit.model, rows), number)


def on_all_rows(again: Fit, fit: Fit) -> Asked:
    """A question to the draws of one fit, of the rows of another."""
    model = fit.model
    seed = int(again.draws["sample_stats"].attrs["seed"])
    return Asked(again.model, model.table, model.rows, thinned(again, None), seed, fit.asked)


def exact_term(fit: Fit, left: LeftOut, place: int) -> tuple[float, float]:
    """Log density of one thing left out, by a fit without it, and its Monte Carlo error.

    Parameters
    ----------
    fit
        The fit to all rows.
    left
        What is left out.
    place
        Which of them.
    """
    rows, model = left.of_row == place, fit.model
    if left.counts[place] > 1:
        # One copy is left out, and the others stay.
        freq = str(model.spec.freq)
        fewer = pd.Series(frequencies(model.table, freq) - rows)
        model = _with_table(model, _with_columns(model.table, {freq: fewer}))
    else:
        model = without_responses_of(model, rows)
    again = replace(left, asked=on_all_rows(_fitted(fit, model, place + 1), fit))
    (elpd,), (mcse,) = log_mean(again.log_densities(np.array([place])))
    return float(elpd), float(mcse)


def _fitted(fit: Fit, model: Model, number: int) -> Fit:
    """A fit of `model` with the settings of `fit`, whose draws it starts from."""
    run = dict(fit.draws["sample_stats"].attrs)
    posterior = fit.draws["posterior"].to_dataset()
    rng = np.random.default_rng([run["seed"], number])
    starts = rng.integers(posterior.sizes["draw"], size=posterior.sizes["chain"])
    inits = [
        {str(n): v.values for n, v in posterior.isel(chain=c, draw=draw).items()}
        for c, draw in enumerate(starts)
    ]
    run["seed"] = (run["seed"] + number) % 2**31
    return model.fit(engine=fit.engine.split()[0], inits=inits, **run)


def without_responses_of(model: Model, rows: Mask) -> Model:
    """The model without the responses of some rows, which are taken for missing."""
    names = [c for r in model.spec.responses if not r.addition for c in r.columns]
    columns = model.table.columns
    return _with_table(
        model, _with_columns(model.table, {name: columns[name].mask(rows) for name in names})
    )


def _with_columns(table: Table, columns: dict[str, pd.Series]) -> Table:
    return replace(table, columns={**table.columns, **columns})


def _with_table(model: Model, table: Table) -> Model:
    spec = _bounded(with_missing(model.spec, table), table)
    data = standata(spec, table, model.rows, model.encoded)
    return replace(model, spec=spec, table=table, data=data)


def binding(left: LeftOut) -> Mask:
    """Which things left out alone set a bound of a parameter, which is another without them."""
    spec, table = left.asked.model.spec, left.asked.table
    found = np.zeros(len(left.seen), dtype=np.bool_)
    for response, codes in _bounds(spec, table):
        values = _constants(spec, table).latest(response.columns[0])
        for group in np.unique(codes[~np.isnan(values)]):
            own = np.flatnonzero((codes == group) & ~np.isnan(values))
            shortest = np.unique(left.of_row[own[values[own] == values[own].min()]])
            if len(shortest) == 1:
                found[shortest] = True
    return found


def _bounded(spec: ModelSpec, table: Table) -> ModelSpec:
    """The model with the bounds that the responses of these rows set."""
    constants = _constants(spec, table)
    moved = {}
    for response, _ in _bounds(spec, table):
        values = constants.latest(response.columns[0])
        if not np.isnan(values).all():
            moved[f"{response.name}_minimum"] = float(np.nanmin(values))
    regressions = []
    for regression in spec.regressions:
        bound = regression.bound
        if bound is not None:
            values = constants.latest(_response_of(spec, regression).columns[0])
            codes = codes_of(table, bound.group.column, bound.group.levels)
            least = []
            for place, old in enumerate(bound.values):
                own = values[(codes == place) & ~np.isnan(values)]
                # In a group without rows nothing is known but what the model had.
                least.append(float(own.min()) if own.size else old)
            bound = replace(bound, values=tuple(least))
        regressions.append(replace(regression, bound=bound))
    own = [replace(c, value=moved[c.name]) if c.name in moved else c for c in spec.constants]
    return replace(spec, constants=tuple(own), regressions=tuple(regressions))


def _bounds(spec: ModelSpec, table: Table) -> list[tuple[Response, NDArray[np.int64]]]:
    """The responses whose shortest value is a bound, each with the group of every row."""
    names = {p.below for p in spec.parameters}
    names |= {r.upper for r in spec.regressions if isinstance(r.upper, str)}
    everywhere = np.zeros(table.n_rows, dtype=np.int64)
    found = [(r, everywhere) for r in spec.responses if f"{r.name}_minimum" in names]
    for regression in spec.regressions:
        if regression.bound is not None:
            group = regression.bound.group
            codes = codes_of(table, group.column, group.levels)
            found.append((_response_of(spec, regression), codes))
    return found


def _response_of(spec: ModelSpec, regression: Regression) -> Response:
    """The response of the family whose parameter varies."""
    terms = (term for component in spec.emissions for term in component)
    return next(
        spec.response(term.responses[0])
        for term in terms
        if any(isinstance(a, Use) and a.regression == regression.name for a in term.arguments)
    )


def _constants(spec: ModelSpec, table: Table) -> Constants:
    return Constants(table, spec.responses)
