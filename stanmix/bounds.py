"""Bounds of parameters that responses set: a non-decision time is below the shortest of all.

Beyond such a bound the likelihood is 0. So it is that of the data at hand, whatever the data that
priors are scaled from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stanmix.data import Table
from stanmix.language.constants import Constants
from stanmix.levels import codes_of
from stanmix.spec import ModelSpec, Regression, Response, Use

Array = NDArray[np.float64]


def bounded(spec: ModelSpec, table: Table) -> ModelSpec:
    """The model with the bounds that the responses of these rows set.

    A group without a response keeps the bound it had.
    """
    moved = {}
    for response, _ in bounds(spec, table):
        values = latest(spec, response, table)
        if not np.isnan(values).all():
            moved[f"{response.name}_minimum"] = float(np.nanmin(values))
    regressions = []
    for regression in spec.regressions:
        bound = regression.bound
        if bound is not None:
            values = latest(spec, response_of(spec, regression), table)
            codes = codes_of(table, bound.group.column, bound.group.levels)
            least = []
            for place, old in enumerate(bound.values):
                own = values[(codes == place) & ~np.isnan(values)]
                least.append(float(own.min()) if own.size else old)
            bound = replace(bound, values=tuple(least))
        regressions.append(replace(regression, bound=bound))
    own = [replace(c, value=moved[c.name]) if c.name in moved else c for c in spec.constants]
    return replace(spec, constants=tuple(own), regressions=tuple(regressions))


def bounds(spec: ModelSpec, table: Table) -> list[tuple[Response, NDArray[np.int64]]]:
    """The responses whose shortest value is a bound, each with the group of every row."""
    names = {p.below for p in spec.parameters}
    names |= {r.upper for r in spec.regressions if isinstance(r.upper, str)}
    everywhere = np.zeros(table.n_rows, dtype=np.int64)
    found = [(r, everywhere) for r in spec.responses if f"{r.name}_minimum" in names]
    for regression in spec.regressions:
        if regression.bound is not None:
            group = regression.bound.group
            codes = codes_of(table, group.column, group.levels)
            found.append((response_of(spec, regression), codes))
    return found


def response_of(spec: ModelSpec, regression: Regression) -> Response:
    """The response of the family whose parameter varies."""
    terms = (term for component in spec.emissions for term in component)
    return next(
        spec.response(term.responses[0])
        for term in terms
        if any(isinstance(a, Use) and a.regression == regression.name for a in term.arguments)
    )


def latest(spec: ModelSpec, response: Response, table: Table) -> Array:
    """The most that every response can be, NaN where there is none."""
    return Constants(table, spec.responses).latest(response.columns[0])
