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

from stanmix.bounds import bounded, bounds, latest
from stanmix.data import Table, frequencies
from stanmix.importance import log_mean
from stanmix.program.standata import standata, with_missing
from stanmix.questions.asking import Asked, thinned
from stanmix.questions.terms import LeftOut, Mask

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
    spec = bounded(with_missing(model.spec, table), table)
    data = standata(spec, table, model.rows, model.encoded)
    return replace(model, spec=spec, table=table, data=data)


def binding(left: LeftOut) -> Mask:
    """Which things left out alone set a bound of a parameter, which is another without them."""
    spec, table = left.asked.model.spec, left.asked.table
    found = np.zeros(len(left.seen), dtype=np.bool_)
    for response, codes in bounds(spec, table):
        values = latest(spec, response, table)
        for group in np.unique(codes[~np.isnan(values)]):
            own = np.flatnonzero((codes == group) & ~np.isnan(values))
            shortest = np.unique(left.of_row[own[values[own] == values[own].min()]])
            if len(shortest) == 1:
                found[shortest] = True
    return found
