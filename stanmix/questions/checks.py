"""Predictive checks: whether data that the model predicts look like those it has seen.

References
----------
Gelman, A., Meng, X.-L., & Stern, H. (1996). Posterior predictive assessment of model fitness via
realized discrepancies. *Statistica Sinica*, 6, 733-760.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.data import is_missing, numbers
from stanmix.errors import SpecError
from stanmix.levels import level, levels_of
from stanmix.limits import EXACT, read_limits
from stanmix.questions.asking import THIN, ask
from stanmix.questions.paths import sample_states
from stanmix.questions.prediction import predict
from stanmix.spec import Response

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

Statistic = Callable[[Array], Any]
"""From the values of a column (.., row) to (..)."""

STATISTICS: dict[str, Statistic] = {
    "mean": lambda y: y.mean(axis=-1),
    "sd": lambda y: y.std(axis=-1, ddof=1),
    "q5": lambda y: np.quantile(y, 0.05, axis=-1),
    "median": lambda y: np.median(y, axis=-1),
    "q95": lambda y: np.quantile(y, 0.95, axis=-1),
    "min": lambda y: y.min(axis=-1),
    "max": lambda y: y.max(axis=-1),
}
"""Of columns of numbers."""


def check(
    fit: Fit,
    *,
    statistics: Mapping[str, Callable[[Array], float]] | None = None,
    draws: int | None = THIN,
    seed: int | None = None,
) -> pd.DataFrame:
    """Compare statistics of the data with those of data that the model predicts for the same rows.

    Of numbers, the mean, spread, quantiles and extremes; of counts also the share of zeros; of
    choices and categories the share of each; and of a hidden Markov model the correlation of
    neighbours, and how long states last (of states drawn given the data, and of predicted ones).

    Parameters
    ----------
    statistics
        Others, by name: functions of the values of a column, in the order of the rows.
    draws, seed
        As in `predict`.

    Returns
    -------
    DataFrame
        By `column` and `statistic`: `observed`; `mean`, `q2.5` and `q97.5` of predicted ones; and
        `p`, the share of predicted ones that are larger, those that are equal counted half. A `p`
        near 0 or 1 says that the model misses this side of the data.

    Raises
    ------
    SpecError
        A statistic is no function, or returns no number; rows count several times.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ mix(poisson, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.check().loc[("y", "zeros"), "observed"]
    np.float64(0.4)
    """
    rows = [
        (each.column, each.statistic, *_row(each.observed, each.predicted))
        for each in compared(fit, statistics=statistics, draws=draws, seed=seed)
    ]
    columns = ["column", "statistic", "observed", "mean", "q2.5", "q97.5", "p"]
    return pd.DataFrame(rows, columns=columns).set_index(["column", "statistic"])


@dataclass(frozen=True, eq=False)
class Compared:
    """A statistic of the data, and of data that the model predicts.

    Parameters
    ----------
    column, statistic
        What it is of; no column where it is of states.
    observed
        That of the data: a number, or one for each draw where it depends on drawn states.
    predicted
        Those of predicted data: (draw,).
    """

    column: str
    statistic: str
    observed: Any
    predicted: Array


def compared(
    fit: Fit,
    *,
    statistics: Mapping[str, Callable[[Array], float]] | None = None,
    draws: int | None = THIN,
    seed: int | None = None,
) -> list[Compared]:
    """What `check` sums up: every statistic, of the data and of each predicted set of data.

    Parameters
    ----------
    statistics, draws, seed
        As of `check`.

    Raises
    ------
    SpecError
        As of `check`.
    """
    if fit.model.spec.freq is not None:
        raise SpecError("Rows that count several times cannot be checked: write them out.")
    drawings = predict(fit, draws=draws, seed=seed)
    found = []
    for response in fit.model.spec.responses:
        if response.addition and response.kind != "choice":
            continue
        for column in response.columns:
            seen = known_exactly(fit, response, column)
            drawn = drawings[column].values.reshape(-1, len(seen))[:, seen]
            for name, observed, predicted in _ready(fit, response, column, seen, drawn):
                found.append(Compared(column, name, observed, predicted))
            for name, function in (statistics or {}).items():
                own = numbers(fit.model.table, column, missing=True)[seen]
                values = np.array([_number(name, function, y) for y in (own, *drawn)])
                found.append(Compared(column, name, values[0], values[1:]))
    if fit.model.spec.kind == "hmm":
        # Both in the order of series and time.
        units = fit.model.rows.order[fit.model.rows.heads]
        there = sample_states(fit, draws=draws, seed=ask(fit, seed=seed).seed + 1).values
        there = there if fit.model.spec.unit is not None else there[..., units]
        paths = (there, drawings["states"].values[..., units])
        there, predicted = (_duration(fit, p.reshape(-1, p.shape[-1])) for p in paths)
        found.append(Compared("", "state duration", there, predicted))
    return found


def known_exactly(fit: Fit, response: Response, column: str) -> NDArray[np.bool_]:
    """Rows with a value that is known, and not only limits of it."""
    seen = ~is_missing(fit.model.table, column)
    if response.is_limited:
        seen = seen & (read_limits(response, fit.model.table).how == EXACT)
    return np.asarray(seen)


def _ready(
    fit: Fit, response: Response, column: str, seen: NDArray[np.bool_], drawn: NDArray[Any]
) -> Iterator[tuple[str, Any, Array]]:
    """Ready statistics: name, the observed one, those of each draw."""
    table = fit.model.table
    if response.kind in ("category", "choice"):
        own = table.columns[column].to_numpy()[seen]
        for label in levels_of(table, column, missing=True):
            is_label = np.vectorize(lambda v, label=label: level(v) == label, otypes=[float])
            yield f"share of {label}", is_label(own).mean(), is_label(drawn).mean(axis=-1)
        return
    y, values = numbers(table, column, missing=True)[seen], drawn.astype(np.float64)
    for name, statistic in STATISTICS.items():
        if name == "sd" and len(y) < 2:
            continue
        yield name, statistic(y), statistic(values)
    if response.kind in ("count", "binary"):
        yield "zeros", (y == 0).mean(), (values == 0).mean(axis=-1)
    if fit.model.spec.kind == "hmm" and fit.model.spec.unit is None:
        pairs = _neighbours(fit, seen)
        observed, predicted = _correlation(y, pairs), _correlation(values, pairs)
        # Values that are all the same have none.
        defined = np.isfinite(predicted)
        if np.isfinite(observed) and defined.any():
            yield "autocorrelation", observed, predicted[defined]


def _row(observed: Any, predicted: Array) -> tuple[float, ...]:
    """What a row of the table says of a statistic; the observed one may differ between draws."""
    larger = (predicted > observed) + 0.5 * (predicted == observed)
    low, high = np.quantile(predicted, [0.025, 0.975])
    shown = (np.mean(observed), predicted.mean(), low, high, larger.mean())
    return tuple(float(value) for value in shown)


def _number(name: str, function: Any, y: Array) -> float:
    """A statistic of the user's, of one set of data."""
    try:
        return float(function(np.asarray(y, dtype=np.float64)))
    except TypeError:
        raise SpecError(f"The statistic {name!r} is no function that returns a number.") from None


def _neighbours(fit: Fit, seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows that follow each other in a series, by their place among those seen: (2, pair)."""
    rows = fit.model.rows
    place = np.where(seen, np.cumsum(seen) - 1, -1)[rows.order]
    follows = np.ones(len(place), dtype=np.bool_)
    follows[rows.starts] = False
    pairs = np.stack([place[:-1], place[1:]])[:, follows[1:]]
    return pairs[:, (pairs >= 0).all(axis=0)]


def _correlation(y: Array, pairs: NDArray[np.int64]) -> Array:
    """The correlation of neighbours, as autocorrelations are defined: about the common mean.

    NaN where all are the same.
    """
    off = y - y.mean(axis=-1, keepdims=True)
    together, alone = (off[..., pairs[0]] * off[..., pairs[1]]).sum(-1), (off**2).sum(-1)
    undefined = np.full(np.shape(alone), np.nan)
    return np.asarray(np.divide(together, alone, out=undefined, where=alone > 0))


def _duration(fit: Fit, paths: NDArray[np.int64]) -> Array:
    """How long states last on average, in units: (draw)."""
    enters = np.ones(paths.shape, dtype=np.bool_)
    enters[:, 1:] = paths[:, 1:] != paths[:, :-1]
    enters[:, fit.model.rows.starts] = True
    return np.asarray(paths.shape[1] / enters.sum(axis=1))
