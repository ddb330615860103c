"""Pictures, one function a question; each returns a plotnine ggplot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray

from stanmix.data import numbers
from stanmix.errors import SpecError
from stanmix.spec import Fixed, Response

if TYPE_CHECKING:
    from stanmix.fit import Fit
    from stanmix.sweeps import Sweep

Array = NDArray[np.float64]

ELLIPSE_DRAWS = 40
"""Draws whose ellipses are shown, faintly, behind the ellipse of their mean."""

LEVEL = 0.9
"""Share of a component that its ellipse holds."""

BARS = 200
"""Most bars of counts; beyond, several counts share one."""

POINTS = 5000
"""Most counts at which a curve is worked out."""

GREY = "#d9d9d9"


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
    if fit.model.spec.emission_regressions:
        raise SpecError(
            "Components whose parameters vary by row have no one density over the response."
        )
    if any(r.kind in ("category", "simplex") for r in fit.model.spec.responses):
        raise SpecError("There is no picture of the components of categories or shares yet.")
    if any(r.limits for r in fit.model.spec.responses):
        raise SpecError("There is no picture of components of which rows show only limits.")
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
        "normal or Student's t."
    )


def sweep(found: Sweep) -> p9.ggplot:
    """The predictive density of models by their number of components.

    A line through all, with bars of one standard error of the difference to the best; beside each
    number the weight of its smallest component.

    Parameters
    ----------
    found
        What `stanmix.sweep` returned.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.
    """
    table = found.table.reset_index()
    table["low"] = table["elpd"] - table["se_diff"]
    table["high"] = table["elpd"] + table["se_diff"]
    table["label"] = [f"{weight:.2g}" for weight in table["smallest"]]
    name = "components" if next(iter(found.fits.values())).model.spec.kind == "mix" else "states"
    return (
        p9.ggplot(table, p9.aes("K", "elpd"))
        + p9.geom_line(color=GREY)
        + p9.geom_linerange(p9.aes(ymin="low", ymax="high"))
        + p9.geom_point(size=2)
        + p9.geom_text(p9.aes(label="label"), nudge_x=0.08, ha="left", va="bottom", size=8)
        + p9.scale_x_continuous(breaks=list(table["K"]), expand=(0.08, 0.1))
        + p9.labs(
            x=name,
            y="elpd",
            caption="Bars: one standard error of the difference to the best. "
            "Numbers: the smallest weight",
        )
        + p9.theme_minimal()
    )


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
        margin = 0.05 * np.ptp(y)
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
    name = "component" if fit.model.spec.kind == "mix" else "state"
    picture = (
        p9.ggplot(curves, p9.aes("value", "density"))
        + p9.geom_col(data=bars, fill=GREY, width=float(edges[1] - edges[0]))
        + p9.geom_line(p9.aes(group=1), data=whole, linetype="dashed")
        + p9.geom_line(p9.aes(color="component"), size=1)
        + p9.labs(x=response.columns[0], y="probability" if discrete else "density", color=name)
        + p9.theme_minimal()
    )
    if discrete:
        picture += p9.geom_point(p9.aes(color="component"))
    return picture + p9.facet_wrap("panel") if choice else picture


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
    mean = (density * _shares(fit, density)).mean(("chain", "draw")).transpose("obs", "state")
    parts = [
        pd.DataFrame({"value": values, "density": column, "component": str(state), "panel": named})
        for state, column in zip(spec.labels["state"], mean.values.T, strict=True)
    ]
    return pd.concat(parts)


def _shares(fit: Fit, like: Any) -> Any:
    """The weight of each component; of a state, the share of rows that are in it."""
    if fit.model.spec.kind == "mix":
        return fit.draws["posterior"]["weights"].sel(draw=like["draw"])
    probabilities = fit.smoothing()
    return probabilities.mean(str(probabilities.dims[2]))


def _ellipses(fit: Fit, response: Response) -> p9.ggplot:
    spec = fit.model.spec
    table = fit.model.table
    first, second = (numbers(table, c, missing=True) for c in response.columns)
    likely = fit.membership().idxmax(axis=1).to_numpy()
    if spec.unit is not None:
        likely = likely[fit.model.rows.unit_of_row]
    rows = pd.DataFrame({"first": first, "second": second, "component": likely.astype(str)})
    rows = rows.dropna()
    ellipses = [_ellipse(fit, k) for k in range(spec.K)]
    draws = len(ellipses[0][0])
    faint = [
        _outline(center[s], shape[s], f"{k}-{s}", k)
        for s in range(0, draws, max(1, draws // ELLIPSE_DRAWS))
        for k, (center, shape) in enumerate(ellipses)
    ]
    bold = [
        _outline(center.mean(0), shape.mean(0), f"{k}", k)
        for k, (center, shape) in enumerate(ellipses)
    ]
    return (
        p9.ggplot(rows, p9.aes("first", "second", color="component"))
        + p9.geom_path(p9.aes(group="path"), data=pd.concat(faint), alpha=0.12)
        + p9.geom_point(size=1.2, alpha=0.7)
        + p9.geom_path(p9.aes(group="path"), data=pd.concat(bold), size=1)
        + p9.labs(
            x=response.columns[0],
            y=response.columns[1],
            color="component" if spec.kind == "mix" else "state",
            caption=f"Ellipses hold {LEVEL:.0%} of a component",
        )
        + p9.theme_minimal()
    )


def _ellipse(fit: Fit, k: int) -> tuple[Array, Array]:
    """The ellipse that holds `LEVEL` of component `k`, from 0: centres (draw, 2), and matrices.

    Points of the ellipse of a matrix (draw, 2, 2) have the length 1 in its units.
    """
    posterior = fit.draws["posterior"].to_dataset()
    draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    (term,) = fit.model.spec.component(k)
    values: dict[str, Array] = {"corr": np.eye(2)}
    for param, argument in zip(term.declaration.params, term.arguments, strict=True):
        if isinstance(argument, Fixed):
            values[param.name] = np.full(draws, argument.value)
            continue
        drawn = posterior[argument.parameter].transpose("chain", "draw", ...).values
        drawn = drawn.reshape(draws, *drawn.shape[2:])
        values[param.name] = drawn[:, k] if argument.by_state else drawn
    sigma = values["sigma"]
    sigma = np.repeat(sigma[:, None], 2, axis=1) if sigma.ndim == 1 else sigma
    # Of a normal distribution; and of Student's t, which comes to the same where nu is large.
    squared_radius = np.full(draws, -2.0 * np.log1p(-LEVEL))
    if "nu" in values:
        squared_radius = values["nu"] * np.expm1(squared_radius / values["nu"])
    shape = sigma[:, :, None] * sigma[:, None, :] * values["corr"]
    return values["mu"], shape * squared_radius[:, None, None]


def _outline(center: Array, shape: Array, path: str, k: int) -> pd.DataFrame:
    """Points all around an ellipse."""
    angle = np.linspace(0.0, 2.0 * np.pi, 100)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    x, y = center[:, None] + np.linalg.cholesky(shape) @ circle
    return pd.DataFrame({"first": x, "second": y, "path": path, "component": str(k + 1)})
