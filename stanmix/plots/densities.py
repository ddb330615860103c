"""The components over the data: of one column a histogram with densities, of two ellipses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9
import xarray as xr
from numpy.typing import NDArray

from stanmix.data import numbers
from stanmix.errors import SpecError
from stanmix.plots.ellipses import LEVEL, component, outlines
from stanmix.plots.look import DARK, GREY, by_state, caption, text, theme, word
from stanmix.questions.asking import THIN, thinned
from stanmix.spec import Response

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

ELLIPSE_DRAWS = 40
"""Draws whose ellipses are shown, faintly, behind the ellipse of their mean."""

BARS = 200
"""Most bars of counts; beyond, several counts share one."""

MARKED = 60
"""Most counts of which each has a point."""

POINTS = 5000
"""Most counts at which a curve is worked out."""


def components(fit: Fit) -> p9.ggplot:
    """The fitted components over the data.

    Of one column, a histogram (of counts, the share of each), with the posterior mean of each
    component's part of the density, and of their sum (dashed); with a choice, a panel for each. Of
    two columns that are jointly normal or Student's t, the rows, coloured by their most probable
    component, with ellipses that hold 90 % of each: of the posterior mean, and faintly of single
    draws.

    Parameters
    ----------
    fit
        The fit.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        The response is none of these.
    """
    require_densities(fit)
    responses = {r.kind: r for r in fit.model.spec.responses}
    choice = responses.pop("choice", None)
    if len(responses) == 1 and len(fit.model.spec.responses) == 1 + (choice is not None):
        response = next(iter(responses.values()))
        if not response.many:
            return _densities(fit, response, choice)
        if len(response.columns) == 2:
            return _ellipses(fit, response)
    raise SpecError(
        "Components can be drawn over one column without `trials`, or over two that are jointly "
        'normal or Student\'s t. Several columns are drawn in pairs by `plot("pairs")`.'
    )


def require_densities(fit: Fit) -> None:
    """Refuse models whose components have no one density over columns of numbers.

    Raises
    ------
    SpecError
        Their parameters vary by row, or responses are categories, shares, or only limits.
    """
    if fit.model.spec.emission_regressions:
        raise SpecError(
            "Components whose parameters vary by row have no one density over the response."
        )
    if any(r.kind in ("category", "simplex") for r in fit.model.spec.responses):
        raise SpecError("There is no picture of the components of categories or shares yet.")
    if any(r.limits for r in fit.model.spec.responses):
        raise SpecError("There is no picture of components of which rows show only limits.")


def _densities(fit: Fit, response: Response, choice: Response | None) -> p9.ggplot:
    y = numbers(fit.model.table, response.columns[0], missing=True)
    seen = ~np.isnan(y)
    y = y[seen]
    discrete = response.kind in ("count", "binary")
    if discrete:
        step = int(np.ceil((np.ptp(y) + 1) / BARS))
        edges = np.arange(y.min(), y.max() + step + 1, step) - 0.5
        grid = np.arange(y.min(), y.max() + 1, int(np.ceil((np.ptp(y) + 1) / POINTS)))
    else:
        edges = np.histogram_bin_edges(y, bins=min(60, max(10, int(3 * len(y) ** 0.4))))
        margin = 0.05 * np.ptp(y) or 1.0
        grid = np.linspace(y.min() - margin, y.max() + margin, 300)
        grid = grid[grid > 0] if response.kind in ("positive", "unit") else grid
        grid = grid[grid < 1] if response.kind == "unit" else grid
    if response.truncated is not None:
        low, high = response.truncated.lower, response.truncated.upper
        grid = grid[grid >= (-np.inf if low is None else low)]
        grid = grid[grid <= (np.inf if high is None else high)]
    panels = choice.labels if choice else ("",)
    chosen = _choices(fit, choice)[seen] if choice else np.full(len(y), "")
    bars = pd.concat([_bars(y[chosen == panel], edges, len(y), panel) for panel in panels])
    curves = _curves(fit, response, choice, grid)
    whole = curves.groupby(["value", "panel"], as_index=False)[["density"]].sum()
    spec = fit.model.spec
    picture = p9.ggplot(curves, p9.aes("value", "density")) + p9.geom_col(
        data=bars, fill=GREY, width=float(edges[1] - edges[0])
    )
    if len(grid) > 1:
        picture += p9.geom_line(p9.aes(group=1), data=whole, linetype="dashed", color=DARK)
        picture += p9.geom_line(p9.aes(color="component"), size=1)
    if discrete and len(grid) <= MARKED:
        picture += p9.geom_point(p9.aes(color="component"))
    picture += by_state(spec.labels["state"], spec.kind, "color")
    picture += p9.labs(
        x=text(response.columns[0], 60),
        y="probability" if discrete else "density",
        caption=caption("Bars: the rows. Dashed: the sum of all"),
    )
    picture += theme()
    return picture + p9.facet_wrap("panel", labeller=text) if choice else picture


def _choices(fit: Fit, choice: Response) -> NDArray[Any]:
    """The choice of every row, by name."""
    codes = np.empty(fit.model.table.n_rows, np.int64)
    codes[fit.model.rows.order] = fit.model.data[choice.name]
    return np.asarray(choice.labels, dtype=object)[codes - 1]


def _bars(y: Array, edges: Array, n: int, panel: str) -> pd.DataFrame:
    """A histogram of some of `n` rows, whose area is their share."""
    counts, _ = np.histogram(y, edges)
    density = counts / (n * np.diff(edges))
    middle = (edges[:-1] + edges[1:]) / 2
    return pd.DataFrame({"value": middle, "density": density, "panel": panel})


def _curves(fit: Fit, response: Response, choice: Response | None, grid: Array) -> pd.DataFrame:
    """The posterior mean of every component's part of the density, over a grid of values."""
    spec = fit.model.spec
    panels = choice.labels if choice else ("",)
    values, named = np.tile(grid, len(panels)), np.repeat(panels, len(grid))
    rows: dict[str, Any] = {response.columns[0]: values}
    if choice:
        rows[choice.columns[0]] = pd.Categorical(named, categories=list(panels))
    for own in (spec.unit, spec.time):
        if own and own not in rows:
            rows[own] = np.arange(len(values))
    if spec.series and spec.series not in rows:
        rows[spec.series] = np.zeros(len(values), int)
    for covariate in spec.covariates:
        # Of weights and moves alone, which do not change the density within a component.
        rows.setdefault(covariate, [fit.model.table.columns[covariate].iloc[0]] * len(values))
    density = np.exp(fit.log_omega(rows))
    joint: xr.DataArray = shares(fit) * density
    mean = joint.mean(["chain", "draw"]).transpose("obs", "state")
    parts = [
        pd.DataFrame({"value": values, "density": column, "component": str(state), "panel": named})
        for state, column in zip(spec.labels["state"], mean.values.T, strict=True)
    ]
    return pd.concat(parts)


def shares(fit: Fit) -> xr.DataArray:
    """The weight of each component, or the share of rows in it where there is no one weight.

    Returns
    -------
    DataArray
        (chain, draw, state), at thinned draws.
    """
    spec = fit.model.spec
    if spec.kind == "mix" and not spec.varies("weights"):
        return thinned(fit, THIN)["weights"]
    probabilities = fit.responsibility() if spec.kind == "mix" else fit.smoothing()
    place = str(probabilities.dims[2])
    if spec.unit is None:
        return probabilities.mean(place)
    sizes = xr.DataArray(fit.model.rows.unit_size, dims=[place])
    return probabilities.weighted(sizes).mean(place)


def likely_states(fit: Fit) -> NDArray[Any]:
    """The most probable component of each of the user's rows, by name."""
    likely = fit.membership().idxmax(axis=1).to_numpy().astype(str)
    return likely if fit.model.spec.unit is None else likely[fit.model.rows.unit_of_row]


def _ellipses(fit: Fit, response: Response) -> p9.ggplot:
    spec, table = fit.model.spec, fit.model.table
    first, second = (numbers(table, c, missing=True) for c in response.columns)
    rows = pd.DataFrame({"first": first, "second": second, "component": likely_states(fit)})
    found = [component(fit, k) for k in range(spec.K)]
    faint, bold = outlines(found, (0, 1), ELLIPSE_DRAWS)
    return (
        p9.ggplot(rows.dropna(), p9.aes("first", "second", color="component"))
        + p9.geom_path(p9.aes(group="path"), data=faint, alpha=0.12)
        + p9.geom_point(size=1.2, alpha=0.7)
        + p9.geom_path(p9.aes(group="path"), data=bold, size=1)
        + by_state(spec.labels["state"], spec.kind, "color")
        + p9.labs(
            x=text(response.columns[0], 60),
            y=text(response.columns[1], 36),
            caption=caption(
                f"Ellipses hold {LEVEL:.0%} of a {word(spec.kind)}: at the posterior mean, and "
                "faintly at single draws"
            ),
        )
        + theme()
    )
