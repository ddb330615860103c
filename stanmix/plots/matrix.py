"""Components of several columns: a panel for each two of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray

from stanmix.data import numbers
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.plots.densities import likely_states, require_densities, shares
from stanmix.plots.ellipses import KINDS, LEVEL, Component, component, outlines
from stanmix.plots.look import DARK, GREY, by_state, caption, text, theme, ticks, word

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

POINTS = 2000
"""Most rows that are drawn; beyond, some of them, evenly chosen."""

BINS = 25
"""Bars of the histogram of a column."""

FAINT = 300
"""Most ellipses of single draws in all panels together."""


def pairs(fit: Fit, columns: Iterable[str] | None = None) -> p9.ggplot:
    """The fitted components over each two of several columns.

    A panel for each two columns: the rows, coloured by their most probable component, with ellipses
    that hold 90 % of each component at the posterior mean, and faintly at single draws where there
    is room. On the diagonal a histogram of each column, with each component's part of the density,
    and their sum (dashed).

    Parameters
    ----------
    fit
        The fit.
    columns
        Some of the columns of the response, in this order; all if not given.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        The response is not several columns of numbers, or their distribution in a component has no
        mean and standard deviation; `columns` are none of the response, or fewer than two.

    Examples
    --------
    >>> import stanmix as sm
    >>> rows = {"u": [0.1, 0.3, 0.2, 5.0, 5.2, 5.1], "v": [1.0, 1.2, 0.9, 7.0, 7.3, 7.1]}
    >>> formula = "cbind(u, v) ~ mix(normal, K=2, cov=diag)"
    >>> f = sm.fit(formula, rows, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("pairs")
    """
    require_densities(fit)
    spec = fit.model.spec
    kinds = _columns(fit)
    everything = list(kinds)
    chosen = _chosen(columns, everything)
    places = [everything.index(name) for name in chosen]
    components = [component(fit, k) for k in range(spec.K)]
    values = {name: numbers(fit.model.table, name, missing=True) for name in chosen}
    likely = likely_states(fit)
    shown = np.unique(np.linspace(0, len(likely) - 1, POINTS).astype(np.int64))
    draws = FAINT // (spec.K * len(chosen) * (len(chosen) - 1))
    draws = draws if draws >= 5 else 0
    points, faint, bold = [], [], []
    for i, j in itertools.permutations(range(len(chosen)), 2):
        panel = {"across": chosen[i], "down": chosen[j]}
        pair = {"first": values[chosen[i]], "second": values[chosen[j]], "component": likely}
        points.append(pd.DataFrame(pair).iloc[shown].dropna().assign(**panel))
        some, mean = outlines(components, (places[i], places[j]), draws)
        faint.append(some.assign(**panel))
        bold.append(mean.assign(**panel))
    weights = shares(fit).transpose("chain", "draw", "state").values.reshape(-1, spec.K)
    margins = [
        _margin(components, weights, values[name], place, kinds[name])
        for name, place in zip(chosen, places, strict=True)
    ]
    bars, curves = (
        pd.concat([m[part].assign(across=c, down=c) for c, m in zip(chosen, margins, strict=True)])
        for part in (0, 1)
    )
    whole = curves.groupby(["across", "down", "first"], observed=True, as_index=False).agg(
        second=("above", "sum"), base=("base", "first")
    )
    whole["second"] += whole["base"]
    curves["second"] = curves["base"] + curves["above"]
    size = 1.7 * len(chosen)
    return (
        p9.ggplot(
            _in_order(pd.concat(points), chosen), p9.aes("first", "second", color="component")
        )
        + p9.geom_path(p9.aes(group="path"), data=_in_order(pd.concat(faint), chosen), alpha=0.12)
        + p9.geom_point(size=0.7, alpha=0.5, stroke=0)
        + p9.geom_path(p9.aes(group="path"), data=_in_order(pd.concat(bold), chosen), size=0.8)
        + p9.geom_rect(
            p9.aes(xmin="low", xmax="high", ymin="base", ymax="top"),
            data=_in_order(bars, chosen),
            fill=GREY,
            inherit_aes=False,
        )
        + p9.geom_line(
            p9.aes("first", "second"),
            data=_in_order(whole, chosen),
            linetype="dashed",
            color=DARK,
            inherit_aes=False,
        )
        + p9.geom_line(data=_in_order(curves, chosen), size=0.8)
        + p9.facet_grid("down", "across", scales="free", labeller=lambda name: text(name, 14))
        + p9.scale_x_continuous(breaks=ticks(3))
        + p9.scale_y_continuous(breaks=ticks(3))
        + by_state(spec.labels["state"], spec.kind, "color", below=True)
        + p9.labs(
            x="",
            y="",
            caption=caption(
                _meaning(fit),
                f"{POINTS} of {len(likely)} rows are drawn" if len(likely) > POINTS else "",
                "Diagonal: histograms and densities, on a scale of their own",
            ),
        )
        + theme(max(6.4, size), max(4.8, size + 0.5))
        + p9.theme(
            legend_position="bottom",
            strip_text=p9.element_text(size=8.5 if len(chosen) < 4 else 6.5),
            strip_text_y=p9.element_text(angle=0, ha="left"),
        )
    )


def _columns(fit: Fit) -> dict[str, str]:
    """All columns of the response, each a number on a line, and of what kind they are."""
    responses = fit.model.spec.responses
    kinds = {name: r.kind for r in responses for name in r.columns}
    plain = all(r.kind in KINDS and not r.addition and not r.is_limited for r in responses)
    if not plain or len(kinds) < 2:
        raise SpecError(
            "Pairs are drawn of several columns of numbers on a line: jointly normal or Student's "
            "t, or independent given the component."
        )
    return dict(kinds)


def _chosen(columns: Iterable[str] | None, known: Sequence[str]) -> list[str]:
    if columns is None:
        return list(known)
    named = [] if isinstance(columns, str) or not isinstance(columns, Iterable) else list(columns)
    for name in named:
        if name not in known:
            hint = did_you_mean(str(name), known)
            message = f"`{name}` is no column of the response, which has {listing(known)}."
            raise SpecError(Problem(message, hint=hint))
    if len(named) < 2 or len(set(named)) < len(named):
        raise SpecError("`columns` must list two columns of the response or more, each once.")
    return named


def _meaning(fit: Fit) -> str:
    """What the ellipses are."""
    spec = fit.model.spec
    terms = [term for k in range(spec.K) for term in spec.component(k)]
    vector = spec.responses[0].many
    hold = f"Ellipses hold {LEVEL:.0%} of a {word(spec.kind)}"
    if vector or all(term.declaration.name == "normal" for term in terms):
        return hold
    return f"{hold}, if it were normal with the same means and standard deviations"


def _margin(
    components: Sequence[Component], weights: Array, values: Array, place: int, kind: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A histogram of a column and each component's part, as high as the values reach."""
    seen = values[~np.isnan(values)]
    low, high = float(seen.min()), float(seen.max())
    height = high - low if high > low else 1.0
    if kind == "count":
        step = int(np.ceil((high - low + 1) / BINS))
        edges = np.arange(low, high + step + 1, step) - 0.5
        grid = np.arange(low, max(high, low + 1) + 1, int(np.ceil((high - low + 1) / 400)))
    else:
        edges = np.histogram_bin_edges(seen, bins=BINS)
        grid = np.linspace(low - 0.05 * height, high + 0.05 * height, 150)
        grid = grid[grid > 0] if kind in ("positive", "unit") else grid
        grid = grid[grid < 1] if kind == "unit" else grid
    counts, _ = np.histogram(seen, edges)
    bars = counts / (len(seen) * np.diff(edges))
    parts = [
        (each.density(place, grid) * weights[:, k]).mean(axis=1)
        for k, each in enumerate(components)
    ]
    scale = height / max(bars.max(), np.sum(parts, axis=0).max())
    shapes = pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "base": low, "top": low + scale * bars}
    )
    curves = [
        pd.DataFrame({"first": grid, "above": scale * part, "base": low, "component": str(k + 1)})
        for k, part in enumerate(parts)
    ]
    return shapes, pd.concat(curves)


def _in_order(data: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The panels of `data` in the order of columns."""
    levels: Any = list(columns)
    return data.assign(
        across=pd.Categorical(data["across"], levels), down=pd.Categorical(data["down"], levels)
    )
