"""Two sets of draws over each two numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import contourpy
import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray
from scipy import ndimage

from stanmix.errors import SpecError
from stanmix.judging.compared import Compared
from stanmix.plots.elements import elements_of_two
from stanmix.plots.look import GREY, PALE, SIDES, caption, text, theme, ticks

Array = NDArray[np.float64]

MOST = 6
"""Most numbers that are shown where none are asked for."""

ROOM = 8
"""Most numbers that may be asked for."""

POINTS = 500
"""Most points of either set in a panel; beyond, some of them, evenly chosen."""

HELD = (0.5, 0.9)
"""Shares of either set that its contours hold."""

CELLS = 60
"""Cells of a panel, across and down, in which draws are counted for contours."""

BINS = 30
"""Bars of a histogram."""

HIGHEST = 0.65
"""How much of its panel a histogram takes; above it stands a name."""


def pairs(pair: Compared, variables: str | Iterable[str] | None = None) -> p9.ggplot:
    """Draws and a reference over each two numbers.

    A panel for each two numbers has points of both, with contours of their densities that hold half
    and 90 % of each; on the diagonal are histograms of both.

    Parameters
    ----------
    pair
        The draws.
    variables
        Names of parameters (`mu`), or of single numbers (`mu[1]`); if not given, the six that are
        most distant by Kolmogorov and Smirnov, the most distant first.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        There is no such number; or there are too many, or fewer than two.
    """
    shown, left_out = elements_of_two(pair, variables, MOST, ROOM)
    if len(shown) < 2:
        raise SpecError("Pairs need two numbers or more.")
    columns = [pair.reference.names.index(name) for name in shown]
    sets = [values[:, columns] for values in pair.evenly()]
    limits = _limits(*sets)
    low, high = limits.T
    beyond = sum(int(((values < low) | (values > high)).any(axis=1).sum()) for values in sets)
    some = [values[:, columns] for values in pair.evenly(POINTS)]
    points, lines, bars, panels = [], [], [], []
    for i, j in itertools.combinations_with_replacement(range(len(shown)), 2):
        panel = {"across": shown[i], "down": shown[j]}
        if i == j:
            heights = _heights([values[:, i] for values in sets], limits[i])
            bars.append(heights[0].assign(**panel))
            drawn = [_steps(each) for each in heights]
        else:
            both = [i, j]
            points.append(_mixed([v[:, both] for v in some], limits[both]).assign(**panel))
            drawn = [_contours(v[:, both], limits[both]) for v in sets]
        panels.append(panel)
        # Paths are drawn in the order of their names: the reference first.
        lines += [
            line.assign(draws=side, path=str(place) + line["path"], **panel)
            for place, (side, line) in enumerate(zip(SIDES, drawn, strict=True))
        ]
    names = pd.DataFrame({"across": shown, "down": shown, "first": low, "second": high})
    names["label"] = [_label(name) for name in shown]
    size = 1.5 * len(shown)
    return (
        p9.ggplot(_in_order(pd.concat(lines), shown), p9.aes("first", "second", color="draws"))
        + p9.geom_rect(
            data=_in_order(pd.DataFrame(panels), shown),
            xmin=-np.inf,
            xmax=np.inf,
            ymin=-np.inf,
            ymax=np.inf,
            fill=PALE,
            alpha=0.6,
            inherit_aes=False,
        )
        + p9.geom_rect(
            p9.aes(xmin="low", xmax="high", ymin="base", ymax="top"),
            data=_in_order(pd.concat(bars), shown),
            fill=GREY,
            inherit_aes=False,
        )
        # One group, so that neither set lies on top of the other.
        + p9.geom_point(
            p9.aes(group=1),
            data=_in_order(pd.concat(points), shown),
            size=0.8,
            alpha=0.3,
            stroke=0,
        )
        + p9.geom_path(p9.aes(group="path"), size=0.6)
        + p9.geom_text(
            p9.aes("first", "second", label="label"),
            data=_in_order(names, shown),
            ha="left",
            va="top",
            size=7,
            inherit_aes=False,
        )
        + p9.facet_grid("down", "across", scales="free")
        + p9.scale_color_manual(values=SIDES, limits=list(SIDES))
        + p9.scale_x_continuous(breaks=ticks(3), labels=_short)
        + p9.scale_y_continuous(breaks=ticks(3), labels=_short)
        + p9.labs(
            x="",
            y="",
            color="",
            caption=caption(
                left_out,
                "Contours hold 50 % and 90 % of each",
                f"{POINTS} of {pair.n} draws of each are points" if pair.n > POINTS else "",
                f"{beyond} of {2 * pair.n} draws lie beyond a panel" if beyond else "",
                "Diagonal: histograms, on a scale of their own",
            ),
        )
        + theme(max(6.4, size), max(4.8, size))
        + p9.theme(
            legend_position="inside",
            legend_position_inside=(1, 1),
            legend_text=p9.element_text(size=10),
            axis_text_x=p9.element_text(angle=45, ha="right"),
            strip_text=p9.element_blank(),
            strip_background=p9.element_blank(),
            panel_grid=p9.element_blank(),
        )
    )


def _limits(x: Array, y: Array) -> Array:
    """What panels show of each number, (number, 2): all but what is far out in a tail."""
    ends = np.stack([np.quantile(values, [0.01, 0.99], axis=0) for values in (x, y)])
    low, high = ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
    # Where all but a few are the same, the few are shown.
    further = np.where(high > low, (high - low) / 2, np.inf)
    both = np.concatenate([x, y])
    least = np.maximum(low - further, both.min(axis=0))
    return np.stack([least, np.minimum(high + further, both.max(axis=0))], axis=-1)


def _mixed(sets: Sequence[Array], limits: Array) -> pd.DataFrame:
    """Points of both sets within a panel, in any order.

    Parameters
    ----------
    sets
        (draw, 2) each.
    limits
        Of both numbers: (2, 2).
    """
    parts = [
        pd.DataFrame({"first": values[:, 0], "second": values[:, 1], "draws": side})
        for side, values in zip(SIDES, sets, strict=True)
    ]
    points = pd.concat(parts, ignore_index=True).sample(frac=1, random_state=1)
    first, second = limits
    return points[points["first"].between(*first) & points["second"].between(*second)]


def _contours(values: Array, limits: Array) -> pd.DataFrame:
    """Contours of the density of two numbers: `first`, `second` and `path`.

    Parameters
    ----------
    values
        (draw, 2).
    limits
        Of both numbers: (2, 2).
    """
    counts, *edges = np.histogram2d(values[:, 0], values[:, 1], bins=CELLS, range=limits.tolist())
    low, high = np.quantile(values, [0.25, 0.75], axis=0)
    spread = np.minimum(values.std(axis=0), (high - low) / 1.349)
    # Scott's rule, in cells.
    width = spread * len(values) ** (-1 / 6) * CELLS / np.diff(limits).ravel()
    width = np.maximum(width, 1.0)
    density = ndimage.gaussian_filter(counts, width, mode="reflect")
    across, down = ((edge[1:] + edge[:-1]) / 2 for edge in edges)
    found = contourpy.contour_generator(x=across, y=down, z=density.T)
    # The density at the draws themselves; at those beyond the panel it is 0.
    at_draws = np.zeros(len(values))
    inside = np.repeat(density.ravel(), counts.ravel().astype(np.int64))
    at_draws[: len(inside)] = inside
    paths = [
        np.asarray(path)
        for held in HELD
        for path in found.lines(float(np.quantile(at_draws, 1 - held)))
    ]
    # Draws that are nearly all the same have no contour.
    first, second = np.concatenate([np.empty((0, 2)), *paths]).T
    names = np.repeat(np.arange(len(paths)).astype(str), [len(path) for path in paths])
    return pd.DataFrame({"first": first, "second": second, "path": names})


def _heights(sets: Sequence[Array], limits: Array) -> list[pd.DataFrame]:
    """Histograms of a number on the diagonal: bars from `low` to `high`, from `base` to `top`."""
    low, high = limits
    edges = np.linspace(low, high, BINS + 1)
    shares = [np.histogram(values, edges)[0] / len(values) for values in sets]
    scale = HIGHEST * (high - low) / np.max(shares)
    return [
        pd.DataFrame({"low": edges[:-1], "high": edges[1:], "base": low, "top": low + scale * each})
        for each in shares
    ]


def _steps(bars: pd.DataFrame) -> pd.DataFrame:
    """The upper edge of bars, as a path."""
    first = bars[["low", "high"]].to_numpy().ravel()
    return pd.DataFrame({"first": first, "second": np.repeat(bars["top"], 2), "path": ""})


def _label(name: str) -> str:
    """A name in three lines at most, with dots where it is longer."""
    lines = text(name, 18).split("\n")
    return "\n".join(lines if len(lines) <= 3 else [f"{lines[0]}…", *lines[-2:]])


def _short(values: Iterable[float]) -> list[str]:
    """Numbers beside an axis that take little room, however small they are."""
    return [f"{value:g}" for value in values]


def _in_order(data: pd.DataFrame, shown: Sequence[str]) -> pd.DataFrame:
    """With panels in the order of the numbers."""
    across, down = (pd.Categorical(data[c], list(shown)) for c in ("across", "down"))
    return data.assign(across=across, down=down)
