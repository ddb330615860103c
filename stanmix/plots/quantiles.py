"""Whether pseudo-residuals are standard normal, and independent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray
from scipy import stats

from stanmix.data import numbers
from stanmix.errors import SpecError, require_count
from stanmix.plots.look import DARK, GREY, caption, panels, theme, ticks

if TYPE_CHECKING:
    from stanmix.fit import Fit
    from stanmix.questions.residuals import Kind

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST = 5
"""Fewest pairs of rows of which an autocorrelation is shown."""


def residuals(fit: Fit, kind: Kind = "ordinary") -> p9.ggplot:
    """Quantiles of pseudo-residuals against those of the standard normal distribution.

    Parameters
    ----------
    fit
        The fit.
    kind
        As in `Fit.residuals`.

    Returns
    -------
    ggplot
        A picture to show, to change or to save. The band holds each point by itself with 95 %, if
        residuals are standard normal and independent; rows without a residual are left out.

    Raises
    ------
    SpecError
        As of `Fit.residuals`; or no row has a residual.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("residuals", kind="forecast")
    """
    found = _seen(fit, kind)
    parts = []
    for column, values in found.items():
        # Averages over few draws may be 0 or 1: such residuals stand at the edge.
        edge = np.abs(values[np.isfinite(values)]).max(initial=3.0) + 1
        rank, n = np.arange(1, len(values) + 1), len(values)
        low, high = stats.norm.ppf(stats.beta.ppf([[0.025], [0.975]], rank, n + 1 - rank))
        part = {
            "normal": stats.norm.ppf((rank - 0.5) / n),
            "residual": np.sort(np.clip(values, -edge, edge)),
            "low": low,
            "high": high,
        }
        parts.append(pd.DataFrame(part).assign(column=column))
    table = pd.concat(parts)
    table["column"] = pd.Categorical(table["column"], list(found))
    infinite = any(np.isinf(values).any() for values in found.values())
    return (
        p9.ggplot(table, p9.aes("normal", "residual"))
        + p9.geom_ribbon(p9.aes(ymin="low", ymax="high"), fill=GREY)
        + p9.geom_abline(slope=1, intercept=0, color=DARK, linetype="dashed")
        + p9.geom_point(size=1.4, alpha=0.7, stroke=0)
        + p9.labs(
            x="standard normal quantile",
            y=f"{kind} pseudo-residual",
            caption=caption(
                "Band: 95 % of each point, if the model is right",
                "At the edge: rows beyond all draws" if infinite else "",
            ),
        )
        + _axes(list(found))
    )


def autocorrelation(fit: Fit, kind: Kind | None = None, *, lags: int | None = None) -> p9.ggplot:
    """The correlation of pseudo-residuals with those before them in their series.

    Parameters
    ----------
    fit
        The fit.
    kind
        As in `Fit.residuals`; "forecast" if not given, of a mixture "ordinary". Only those of
        forecasts are independent if the model is right.
    lags
        How many lags; if not given, 10 log10 of the number of rows, as far as series reach.

    Returns
    -------
    ggplot
        A picture to show, to change or to save. Lags are steps of time, or rows where the model
        has no time; of rows that share a state the mean residual is taken. Pairs of which one has
        no residual are left out, and the band is 1.96 by the root of the number of pairs.

    Raises
    ------
    SpecError
        As of `Fit.residuals`; `lags` is no whole number from 1 on; series are too short; or all
        residuals are the same.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("autocorrelation", lags=4)
    """
    spec, rows = fit.model.spec, fit.model.rows
    kind = kind or ("forecast" if spec.kind == "hmm" else "ordinary")
    if lags is not None:
        require_count("lags", lags, 1)
    found = fit.residuals(kind)
    series = np.zeros(len(rows.unit_size), np.int64)
    series[rows.starts[1:]] = 1
    series = np.cumsum(series)
    at = np.arange(len(series))
    if spec.time is not None:
        at = numbers(fit.model.table, spec.time)[rows.order[rows.heads]].astype(np.int64)
    parts, columns = [], list(map(str, found))
    for column in columns:
        values = found[column].replace([-np.inf, np.inf], np.nan).groupby(rows.unit_of_row).mean()
        seen = values.notna().to_numpy()
        most = lags or int(10 * np.log10(max(seen.sum(), 2)))
        table = _correlations(values.to_numpy()[seen], series[seen], at[seen], most)
        parts.append(table.assign(column=column))
    table = pd.concat(parts)
    if table.empty:
        raise SpecError(
            "Series are too short for correlations of their residuals, or these are all the same."
        )
    table["column"] = pd.Categorical(table["column"], columns)
    units = "Residuals are means of units" if spec.unit is not None else ""
    return (
        p9.ggplot(table, p9.aes("lag", "correlation"))
        + p9.geom_ribbon(p9.aes(ymin="low", ymax="high"), fill=GREY)
        + p9.geom_hline(yintercept=0, color=DARK)
        + p9.geom_linerange(p9.aes(ymin=0, ymax="correlation"), size=1)
        + p9.geom_point(size=1.5)
        + p9.labs(
            x="lag",
            y=f"autocorrelation of {kind} residuals",
            caption=caption("Band: 95 % of each, if residuals are independent", units),
        )
        + _axes(columns)
    )


def _correlations(values: Array, series: Integers, at: Integers, most: int) -> pd.DataFrame:
    """Correlations of values with those a lag before, about their common mean.

    A lag has its own number of pairs, since values may be missing: sums are divided by it.
    """
    off = values - values.mean() if len(values) else values
    place = pd.Series(np.arange(len(off)), index=pd.MultiIndex.from_arrays([series, at]))
    rows = []
    for lag in range(1, most + 1):
        before = place.reindex(pd.MultiIndex.from_arrays([series, at - lag])).to_numpy()
        there = ~np.isnan(before)
        pairs = int(there.sum())
        if pairs < FEWEST or not off.any():
            continue
        product = off[there] * off[before[there].astype(np.int64)]
        band = 1.96 / np.sqrt(pairs)
        rows.append((lag, product.mean() / (off**2).mean(), -band, band))
    return pd.DataFrame(rows, columns=["lag", "correlation", "low", "high"])


def _seen(fit: Fit, kind: Kind) -> dict[str, Array]:
    """The residuals of each column, of rows that have one."""
    found = fit.residuals(kind)
    seen = {str(c): found[c].dropna().to_numpy() for c in found if found[c].notna().any()}
    if not seen:
        raise SpecError("No row has a residual.")
    return seen


def _axes(columns: list[str]) -> list[Any]:
    """A panel for each column, if there are several."""
    alone = len(columns) == 1
    axis = p9.scale_x_continuous(breaks=ticks(6))
    return [axis, theme()] if alone else [axis, *panels("column", len(columns))]
