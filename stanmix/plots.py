"""Pictures, one function a question; each returns a plotnine ggplot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray

from stanmix.errors import SpecError

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

ELLIPSE_DRAWS = 40
"""Draws whose ellipses are shown, faintly, behind the ellipse of their mean."""

LEVEL = 0.9
"""Share of a component that its ellipse holds."""


def components(fit: Fit) -> p9.ggplot:
    """The fitted components over the data.

    One column: a histogram, with the posterior mean of each component's share of the density, and
    of their sum (dashed). Two
    columns of normals: the rows, coloured by their most probable component, with ellipses that hold
    90 % of each, of the posterior mean and faintly of single draws.

    Raises
    ------
    SpecError
        The response is neither.
    """
    responses = [r for r in fit.model.spec.responses if r.value is None]
    if len(responses) == 1 and len(responses[0].columns) == 1:
        if responses[0].kind in ("real", "positive"):
            return _densities(fit, responses[0].columns[0])
    elif len(responses) == 1 and len(responses[0].columns) == 2:
        return _ellipses(fit)
    raise SpecError(
        "Components can be drawn over one column of measurements, or two columns of one family."
    )


def _densities(fit: Fit, column: str) -> p9.ggplot:
    spec = fit.model.spec
    y = np.asarray(fit.model.table.columns[column], dtype=float)
    bins = min(60, max(10, int(3 * len(y) ** 0.4)))
    margin = 0.05 * np.ptp(y)
    grid = np.linspace(y.min() - margin, y.max() + margin, 300)
    if spec.responses[0].kind == "positive":
        grid = grid[grid > 0]
    own = {name: np.arange(len(grid)) for name in (spec.unit, spec.time) if name}
    if spec.series:
        own[spec.series] = np.zeros(len(grid), int)
    density = np.exp(fit.log_omega({column: grid, **own}))
    shares = _shares(fit, density)
    mean = (density * shares).mean(("chain", "draw"))
    curves = mean.to_dataframe(name="density").reset_index()
    curves[column] = grid[curves["obs"]]
    curves["component"] = curves["state"].astype(str)
    return (
        p9.ggplot(curves, p9.aes(column, "density"))
        + p9.geom_histogram(
            p9.aes(column, p9.after_stat("density")),
            data=pd.DataFrame({column: y}),
            breaks=np.histogram_bin_edges(y, bins=bins).tolist(),
            fill="#d9d9d9",
        )
        + p9.geom_line(p9.aes(group=1), data=_total(curves, column), linetype="dashed")
        + p9.geom_line(p9.aes(color="component"), size=1)
        + p9.theme_minimal()
    )


def _total(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """The density of the whole: the sum of the components."""
    return curves.groupby(column, as_index=False)[["density"]].sum()


def _shares(fit: Fit, like: Any) -> Any:
    """The weight of each component; of a state, the share of rows that are in it."""
    if fit.model.spec.kind == "mix":
        return fit.draws["posterior"]["weights"].sel(draw=like["draw"])
    probabilities = fit.smoothing()
    return probabilities.mean(str(probabilities.dims[2]))


def _ellipses(fit: Fit) -> p9.ggplot:
    spec, posterior = fit.model.spec, fit.draws["posterior"].to_dataset()
    first, second = spec.responses[0].columns
    rows = pd.DataFrame({c: np.asarray(fit.model.table.columns[c]) for c in (first, second)})
    if spec.unit is None:
        likely = fit.membership().idxmax(axis=1).to_numpy()
        rows["component"] = likely.astype(str)
    else:
        likely = fit.membership().idxmax(axis=1).to_numpy()[fit.model.rows.unit_of_row]
        rows["component"] = likely.astype(str)
    mu = _stacked(posterior, "mu", spec.K)
    covariance = _covariances(posterior, spec.K)
    step = max(1, len(mu) // ELLIPSE_DRAWS)
    faint = [
        _outline(mu[s, k], covariance[s, k], f"{k}-{s}", k, (first, second))
        for s in range(0, len(mu), step)
        for k in range(spec.K)
    ]
    bold = [
        _outline(mu[:, k].mean(0), covariance[:, k].mean(0), f"{k}", k, (first, second))
        for k in range(spec.K)
    ]
    aes = p9.aes(first, second, color="component")
    return (
        p9.ggplot(rows, aes)
        + p9.geom_path(p9.aes(group="path"), data=pd.concat(faint), alpha=0.12)
        + p9.geom_point(size=1.2, alpha=0.7)
        + p9.geom_path(p9.aes(group="path"), data=pd.concat(bold), size=1)
        + p9.labs(caption=f"Ellipses hold {LEVEL:.0%} of a component")
        + p9.theme_minimal()
    )


def _stacked(posterior: Any, name: str, K: int) -> Array:
    """A variable as (draw, state, ...), repeated over states where they share it."""
    values = posterior[name].stack(sample=("chain", "draw")).transpose("sample", ...)
    if "state" in values.dims:
        return np.asarray(values.values)
    return np.repeat(values.values[:, None], K, axis=1)


def _covariances(posterior: Any, K: int) -> Array:
    """Covariance matrices (draw, state, 2, 2), whatever the covariance form."""
    sigma = _stacked(posterior, "sigma", K)
    if sigma.ndim == 2:
        sigma = np.repeat(sigma[..., None], 2, axis=-1)
    corr = _stacked(posterior, "corr", K) if "corr" in posterior else np.eye(2)
    return np.asarray(sigma[..., :, None] * sigma[..., None, :] * corr)


def _outline(
    center: Array, covariance: Array, path: str, k: int, columns: tuple[str, str]
) -> pd.DataFrame:
    """The ellipse that holds `LEVEL` of a bivariate normal."""
    radius = np.sqrt(-2.0 * np.log1p(-LEVEL))
    angle = np.linspace(0.0, 2.0 * np.pi, 100)
    circle = radius * np.stack([np.cos(angle), np.sin(angle)])
    x, y = center[:, None] + np.linalg.cholesky(covariance) @ circle
    return pd.DataFrame({columns[0]: x, columns[1]: y, "path": path, "component": str(k + 1)})
