"""Pseudo-residuals: standard normal if the model is right, whatever its families.

References
----------
Dunn, P. K., & Smyth, G. K. (1996). Randomized quantile residuals. *Journal of Computational and
Graphical Statistics*, 5, 236-244.

Zucchini, W., MacDonald, I. L., & Langrock, R. (2016). *Hidden Markov models for time series: An
introduction using R* (2nd ed.), section 6.2. CRC Press.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri_exp, softmax

from stanmix import latent
from stanmix.data import is_missing
from stanmix.errors import SpecError, require_one_of
from stanmix.limits import EXACT, read_limits
from stanmix.questions.asking import THIN, Asked, Block, ask
from stanmix.questions.terms import log_others_of, log_states_of_rows
from stanmix.spec import Censoring, ModelSpec, Response

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

Kind = Literal["ordinary", "forecast"]
"""What rows are judged by."""

HOW = "how it is censored"
"""A column that no formula names."""


def residuals(
    fit: Fit, kind: Kind = "ordinary", *, draws: int | None = THIN, seed: int | None = None
) -> pd.DataFrame:
    """Pseudo-residuals of the rows of the fit: standard normal if the model is right.

    The distribution function of a row, at its response, is averaged over states and draws, and
    mapped to a normal quantile. Of counts, which only have steps, a point of the step is drawn.

    Parameters
    ----------
    kind
        "ordinary": states are judged by all other rows. "forecast": of a hidden Markov model, by
        those before; then residuals are independent too.
    draws
        As in `responsibility`.
    seed
        Seed of the points of steps; that of the fit if not given.

    Returns
    -------
    DataFrame
        A row for each of the data, a column for each column of the response that has a distribution
        function; NaN where there is no response, or only limits of it.

    Raises
    ------
    SpecError
        No column has a distribution function: angles, categories, choices, and columns that are
        modelled jointly have none; or a mixture is asked for forecasts.

    Notes
    -----
    The draws have seen the rows that are judged, so that residuals are a little too small where a
    row has much influence: see Pareto k in `loo`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> bool(f.residuals()["y"].abs().max() < 3)
    True
    """
    spec = fit.model.spec
    require_one_of("kind", kind, get_args(Kind))
    if kind == "forecast" and spec.kind == "mix":
        raise SpecError('A mixture has no forecasts; ask for `residuals("ordinary")`.')
    judged = [response for response in spec.responses if _has_cumulative(spec, response)]
    if not judged:
        raise SpecError(
            "No column of the response has a distribution function, so there are no residuals."
        )
    asked = ask(fit, draws=draws, seed=seed)
    rng = asked.random("steps")
    found = {r.columns[0]: _of_column(asked, r, kind, rng) for r in judged}
    return pd.DataFrame(found, index=asked.row_places.index)


def _has_cumulative(spec: ModelSpec, response: Response) -> bool:
    terms = [t for k in range(spec.K) for t in spec.component(k) if t.responses[0] == response.name]
    additions = frozenset(spec.additions)
    # There is no program of ordered categories that are known to lie below one.
    possible = bool(terms) and response.kind != "category"
    return possible and all(t.declaration.has_cumulative(additions) for t in terms)


def _of_column(asked: Asked, response: Response, kind: Kind, rng: np.random.Generator) -> Array:
    """The residuals of one column, in the user's order."""
    alone = _others_blank(asked, response)
    sides = [
        _with_limits(alone, response, "left"),
        _with_limits(alone, response, "right"),
        alone if response.kind in ("count", "binary") else None,
    ]
    blocks: list[Iterator[Block]] = [side.blocks() for side in sides if side is not None]
    step = rng.random(asked.table.n_rows)
    below, above, count = 0.0, 0.0, 0
    for block, *judged in zip(asked.blocks(), *blocks, strict=True):
        states = softmax(_log_states(block, kind), axis=-1)
        upto, beyond, *mass = (np.sum(states * np.exp(b.by_row), axis=-1) for b in judged)
        # Of a step, a part is left on either side.
        part = step * mass[0] if mass else np.zeros_like(upto)
        below = below + (upto - part).sum(axis=0)
        above = above + (beyond + part).sum(axis=0)
        count += len(upto)
    with np.errstate(divide="ignore"):
        lower, upper = (np.log(np.clip(p / count, 0.0, 1.0)) for p in (below, above))
    # From the smaller tail, which keeps its digits.
    found = np.where(lower < upper, ndtri_exp(lower), -ndtri_exp(upper))
    found = found[np.argsort(asked.rows.order)]
    unseen = is_missing(asked.table, response.columns[0])
    if response.is_limited:
        unseen = unseen | (read_limits(response, asked.table).how != EXACT)
    return np.where(unseen, np.nan, found)


def _log_states(block: Block, kind: Kind) -> Array:
    """Log state probabilities of each row, as arranged, without its own response."""
    sizes = block.asked.rows.unit_size
    if kind == "forecast":
        predicted = latent.forward(*block.chain).log_predicted
        return np.repeat(predicted, sizes, axis=1)
    return log_states_of_rows(block, log_others_of(block), np.zeros(int(sizes.sum()), np.bool_))


def _others_blank(asked: Asked, response: Response) -> Asked:
    """The question, where of the columns of the response only one is seen."""
    others = [
        name
        for other in asked.model.spec.responses
        if other.name != response.name and not other.addition
        for name in other.columns
    ]
    columns = {n: asked.table.columns[n].mask(np.ones(asked.table.n_rows, bool)) for n in others}
    return replace(asked, table=replace(asked.table, columns={**asked.table.columns, **columns}))


def _with_limits(asked: Asked, response: Response, how: str) -> Asked:
    """The question, where responses are only known to be at most, or above, what they are."""
    spec, table = asked.model.spec, asked.table
    limited = replace(response, censored=Censoring(HOW))
    responses = tuple(limited if r.name == response.name else r for r in spec.responses)
    columns = {**table.columns, HOW: pd.Series([how] * table.n_rows, dtype=object)}
    return replace(
        asked,
        model=replace(asked.model, spec=replace(spec, responses=responses)),
        table=replace(table, columns=columns),
    )
