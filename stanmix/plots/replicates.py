"""Data that the model predicts, beside those it has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray

from stanmix.data import numbers
from stanmix.errors import SpecError, require_count
from stanmix.levels import level, levels_of
from stanmix.plots.look import BARS, GREY, STRIKING, caption, legend_of, panels, text, theme, ticks
from stanmix.questions.asking import THIN
from stanmix.questions.checks import compared, known_exactly
from stanmix.spec import Response

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

SETS = 30
"""Predicted sets of data that are drawn by default."""

BINS = 30
"""Most bars of a column."""

OBSERVED = STRIKING
"""What has been observed."""

PREDICTED = "#7A94AD"
"""What is predicted."""


def check(
    fit: Fit,
    *,
    statistics: Mapping[str, Callable[[Array], float]] | None = None,
    draws: int | None = THIN,
    seed: int | None = None,
) -> p9.ggplot:
    """Statistics of the data against those of data that the model predicts.

    A panel for each statistic of `Fit.check`, and above it the share of predicted ones that are
    larger than the observed one. A state duration is observed with the uncertainty of the states:
    the line is the mean of it over draws.

    Parameters
    ----------
    fit
        The fit.
    statistics, draws, seed
        As in `Fit.check`.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        As of `Fit.check`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ mix(poisson, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("check")
    """
    bars, lines = [], []
    titles: list[str] = []
    found = compared(fit, statistics=statistics, draws=draws, seed=seed)
    several = len({each.column for each in found if each.column}) > 1
    for each in found:
        larger = (each.predicted > each.observed) + 0.5 * (each.predicted == each.observed)
        column = f"{each.column}: " if several and each.column else ""
        title = f"{column}{each.statistic}\np = {larger.mean():.2f}"
        # A statistic of the user's may be called as one that is there.
        title = " " * titles.count(title) + title
        titles.append(title)
        bars.append(_histogram(each.predicted).assign(panel=title))
        lines.append({"panel": title, "observed": float(np.mean(each.observed))})
    replicated, observed = pd.concat(bars), pd.DataFrame(lines)
    for part in (replicated, observed):
        part["panel"] = pd.Categorical(part["panel"], titles)
    return (
        p9.ggplot(replicated)
        + p9.geom_rect(p9.aes(xmin="low", xmax="high", ymin=0, ymax="share"), fill=BARS)
        + p9.geom_vline(p9.aes(xintercept="observed"), data=observed, color=OBSERVED, size=1)
        + p9.scale_x_continuous(breaks=ticks(4))
        + p9.scale_y_continuous(breaks=[])
        + p9.labs(
            x="",
            y="predicted data",
            caption=caption("Line: observed. p: the share of predicted data with a larger value"),
        )
        + panels("panel", len(titles), "free")
    )


def predictive(fit: Fit, *, sets: int = SETS, seed: int | None = None) -> p9.ggplot:
    """The distribution of each column of the response, and of data that the model predicts.

    Bars are the rows that have been seen; each line is one predicted set of data for the same rows.

    Parameters
    ----------
    fit
        The fit.
    sets
        About how many predicted sets of data.
    seed
        Seed of what is drawn; that of the fit if not given.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        Rows count several times, or none is known exactly; `sets` is no whole number from 1 on.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ mix(poisson, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("predictive", sets=10)
    """
    if fit.model.spec.freq is not None:
        raise SpecError("Rows that count several times cannot be drawn: write them out.")
    require_count("sets", sets, 1)
    found = fit.predict(draws=sets, seed=seed)
    bars: list[pd.DataFrame] = []
    lines: list[pd.DataFrame] = []
    levels: list[pd.DataFrame] = []
    columns, codes = [], {}
    for response in fit.model.spec.responses:
        if response.addition and response.kind != "choice":
            continue
        for column in response.columns:
            seen = known_exactly(fit, response, column)
            if not seen.any():
                continue
            drawn = found[column].values.reshape(-1, len(seen))[:, seen]
            y, drawn, names = _as_numbers(fit, response, column, seen, drawn)
            if names:
                codes[column] = legend_of(names)
            edges = _edges(y, drawn, whole=bool(names) or response.kind in ("count", "binary"))
            columns.append(column)
            bars.append(_shares(y, edges).assign(panel=column))
            # Categories are next to each other, but nothing leads from one to the next.
            (levels if names else lines).extend(
                _shares(one, edges).assign(panel=column, set=f"{column} {s}")
                for s, one in enumerate(drawn)
            )
    if not columns:
        raise SpecError("No row has a response that is known exactly.")
    observed, none = pd.concat(bars), bars[0].iloc[:0].assign(set="")
    curves, marks = (pd.concat(parts) if parts else none for parts in (lines, levels))
    for part in (observed, curves, marks):
        part["panel"] = pd.Categorical(part["panel"], columns)
    alone = len(columns) == 1
    return (
        p9.ggplot(observed)
        + p9.geom_rect(p9.aes(xmin="low", xmax="high", ymin=0, ymax="share"), fill=GREY)
        + p9.geom_line(
            p9.aes("middle", "share", group="set"),
            data=curves,
            color=PREDICTED,
            alpha=0.4,
            size=0.4,
        )
        + p9.geom_segment(
            p9.aes("low", "share", xend="high", yend="share"),
            data=marks,
            color=PREDICTED,
            alpha=0.6,
        )
        + p9.geom_segment(
            p9.aes("low", "share", xend="high", yend="share"), data=observed, color=OBSERVED
        )
        + p9.scale_x_continuous(breaks=ticks(8 if alone else 4))
        + p9.labs(
            x=text(columns[0], 60) if alone else "",
            y="share of rows",
            caption=caption(
                f"Bars: observed. Lines: {found.sizes['chain'] * found.sizes['draw']} predicted "
                "sets of data",
                *(f"{name}: {meaning}" for name, meaning in codes.items()),
            ),
        )
        + (theme() if alone else panels("panel", len(columns), "free"))
    )


def _histogram(values: Array) -> pd.DataFrame:
    """Bars of values, of which some may all be the same."""
    different = np.unique(values)
    size = max(float(np.abs(values).max()), 1.0)
    if np.ptp(values) <= 1e-9 * size:
        middle, wide = float(values.mean()), 0.05 * size
        return pd.DataFrame({"low": [middle - wide], "high": [middle + wide], "share": [1.0]})
    if len(different) <= BINS and (2 * different == np.floor(2 * different)).all():
        # Of few counts each has a bar: bins might hold now one and now two of them.
        half = float(np.diff(different).min()) / 2
        edges = np.column_stack([different - half, different + half])
        counts = np.array([(values == one).sum() for one in different])
        return pd.DataFrame(
            {"low": edges[:, 0], "high": edges[:, 1], "share": counts / len(values)}
        )
    return _shares(values, np.histogram_bin_edges(values, bins=BINS))


def _as_numbers(
    fit: Fit, response: Response, column: str, seen: NDArray[np.bool_], drawn: Any
) -> tuple[Array, Array, list[str]]:
    """Values of a column, seen and predicted; categories by number, and what these mean."""
    table = fit.model.table
    if response.kind not in ("category", "choice"):
        return numbers(table, column, missing=True)[seen], drawn.astype(np.float64), []
    names = list(levels_of(table, column, missing=True))
    code = np.vectorize(lambda v: names.index(level(v)) + 1, otypes=[np.float64])
    return code(table.columns[column].to_numpy()[seen]), code(drawn), names


def _edges(y: Array, drawn: Array, *, whole: bool) -> Array:
    """Bins of what has been seen, and as wide ones to either side of it."""
    low, high = float(y.min()), float(y.max())
    least, most = np.quantile(drawn, [0.005, 0.995])
    wide = high - low if high > low else max(abs(low), 1.0)
    low, high = (
        min(low, max(float(least), low - 0.5 * wide)),
        max(high, min(float(most), high + 0.5 * wide)),
    )
    if whole:
        low, high = np.floor(low), np.ceil(high)
        step = int(np.ceil((high - low + 1) / BINS))
        return np.arange(low, high + step + 1, step) - 0.5
    return np.linspace(low, high, BINS + 1)


def _shares(values: Array, edges: Array) -> pd.DataFrame:
    """Bars as high as the share of all values that they hold."""
    counts, _ = np.histogram(values, edges)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "middle": (edges[:-1] + edges[1:]) / 2,
            "share": counts / len(values),
        }
    )
