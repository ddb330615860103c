"""What the data have said: the prior against the posterior."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotnine as p9
import xarray as xr
from numpy.typing import NDArray

from stanmix.diagnostics import element_names
from stanmix.errors import SpecError, listing
from stanmix.plots.elements import elements
from stanmix.plots.look import BARS, DARK, caption, panels, ticks

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

DRAWS = 4000
"""Draws from the prior."""

BINS = 40
"""Bars of a panel."""

BEYOND = 2.0
"""How far, in widths of the posterior, a panel reaches to either side of it."""


def prior(fit: Fit, variables: str | Iterable[str] | None = None) -> p9.ggplot:
    """Draws from the prior against those from the posterior.

    A panel reaches twice the width of the posterior to either side of it, or as far as the prior:
    a prior may be much wider, and is drawn as high as it is there.

    Parameters
    ----------
    fit
        The fit.
    variables
        Names of parameters (`mu`), or of elements as `fit.summary()` has them (`mu[1]`); if not
        given, the first dozen that vary.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        A prior is flat; the posterior has no such element, too many, or one without a prior.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("prior", variables="mu")
    """
    seed = int(fit.draws["sample_stats"].attrs["seed"])
    before = fit.model.sample_prior(DRAWS, seed=seed)
    after = fit.draws["posterior"].to_dataset()
    if variables is None:
        after = after[[name for name in after if name in before]]
    shown = elements(after, variables)
    known = _from_prior(before, shown.values)
    bars, lines = [], []
    for name, drawn in shown.values.items():
        low, high = _range(drawn.values.ravel(), known[name])
        edges = np.linspace(low, high, BINS + 1)
        bars.append(_histogram(drawn.values.ravel(), edges).assign(element=name))
        lines.append(_outline(_histogram(known[name], edges)).assign(element=name))
    posterior, prior_part = pd.concat(bars), pd.concat(lines)
    for part in (posterior, prior_part):
        part["element"] = pd.Categorical(part["element"], list(shown.values))
    return (
        p9.ggplot(posterior)
        + p9.geom_rect(p9.aes(xmin="low", xmax="high", ymin=0, ymax="density", fill="draws"))
        + p9.geom_line(p9.aes("value", "density", color="draws"), data=prior_part)
        + p9.scale_fill_manual(values={"posterior": BARS})
        + p9.scale_color_manual(values={"prior": DARK})
        + p9.scale_x_continuous(breaks=ticks(4))
        + p9.scale_y_continuous(breaks=ticks(3))
        + p9.labs(
            x="",
            y="density",
            caption=caption(shown.left_out, "The prior may reach beyond a panel"),
        )
        + panels(
            "element",
            len(shown.values),
            "free",
            legend_position="bottom",
            legend_title=p9.element_blank(),
        )
    )


def _from_prior(prior: xr.Dataset, names: Iterable[str]) -> dict[str, Array]:
    """Draws from the prior of some elements: (draw,).

    Raises
    ------
    SpecError
        Some have no prior.
    """
    found = {
        label: np.ravel(values[(..., *place)])
        for values in prior.transpose("chain", "draw", ...).values()
        for label, place in element_names(values).items()
    }
    missing = [name for name in names if name not in found]
    if missing:
        raise SpecError(f"Nothing is drawn from the prior of {listing(missing)}.")
    return found


def _range(after: Array, before: Array) -> tuple[float, float]:
    """What a panel shows."""
    low, high = float(after.min()), float(after.max())
    wide = high - low if high > low else max(abs(low), 1.0)
    least, most = np.quantile(before, [0.001, 0.999])
    return (
        min(low, max(float(least), low - BEYOND * wide)),
        max(high, min(float(most), high + BEYOND * wide)),
    )


def _histogram(values: Array, edges: Array) -> pd.DataFrame:
    """Bars whose area is the share of all values."""
    counts, _ = np.histogram(values, edges)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "density": counts / (len(values) * np.diff(edges)),
            "draws": "posterior",
        }
    )


def _outline(bars: pd.DataFrame) -> pd.DataFrame:
    """The upper edge of bars."""
    value = bars[["low", "high"]].to_numpy().ravel()
    return pd.DataFrame(
        {"value": value, "density": np.repeat(bars["density"].to_numpy(), 2), "draws": "prior"}
    )
