"""Whether chains agree: their draws one after the other, and by rank.

References
----------
Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P.-C. (2021). Rank-normalization,
folding, and localization: An improved R-hat for assessing convergence of MCMC. *Bayesian Analysis*,
16, 667-718.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9

from stanmix.plots.elements import Elements, elements
from stanmix.plots.look import CHAINS, DARK, caption, colour, panels, ticks

if TYPE_CHECKING:
    from stanmix.fit import Fit

BINS = 20
"""Most bins of ranks."""


def trace(fit: Fit, variables: str | Iterable[str] | None = None) -> p9.ggplot:
    """The draws of each chain, one after the other.

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
        The posterior has no such element, or too many.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("trace", variables="mu")
    """
    shown = elements(fit.draws["posterior"].to_dataset(), variables)
    table = shown.table
    return (
        p9.ggplot(table, p9.aes("draw", "value", color="chain"))
        + p9.geom_line(size=0.25, alpha=0.8)
        + p9.labs(x="draw", y="", caption=caption(shown.left_out))
        + _by_chain(table)
        + _axes(shown, "free_y")
    )


def ranks(fit: Fit, variables: str | Iterable[str] | None = None) -> p9.ggplot:
    """Histograms of the ranks of each chain's draws among those of all chains.

    Where chains agree, all are flat but for chance (Vehtari et al. 2021).

    Parameters
    ----------
    fit
        The fit.
    variables
        As of `trace`.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        The posterior has no such element, or too many.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("ranks", variables=["mu", "sigma[1]"])
    """
    shown = elements(fit.draws["posterior"].to_dataset(), variables)
    table = shown.table
    draws, chains = int(table["draw"].max()), table["chain"].nunique()
    bins = max(1, min(BINS, draws // 5))
    edges = np.linspace(0.5, draws * chains + 0.5, bins + 1)
    rank = table.groupby("element", observed=True)["value"].rank()
    table["bin"] = np.clip(np.searchsorted(edges, rank, side="right") - 1, 0, bins - 1)
    counts = table.groupby(["element", "chain", "bin"], observed=True).size()
    axes: list[list[Any]] = [
        list(shown.values),
        sorted(table["chain"].unique(), key=int),
        list(range(bins)),
    ]
    places = pd.MultiIndex.from_product(axes, names=["element", "chain", "bin"])
    steps = counts.reindex(places, fill_value=0).to_frame("count").reset_index()
    # One more step ends the last bin.
    steps = pd.concat([steps, steps[steps["bin"] == bins - 1].assign(bin=bins)])
    steps["element"] = pd.Categorical(steps["element"], list(shown.values))
    steps["rank"] = edges[steps["bin"].to_numpy(int)]
    flat = draws / bins
    return (
        p9.ggplot(steps, p9.aes("rank", "count", color="chain"))
        + p9.geom_hline(yintercept=flat, linetype="dashed", color=DARK)
        + p9.geom_step()
        + p9.expand_limits(y=0)
        + p9.labs(
            x="rank among the draws of all chains",
            y="draws",
            caption=caption(shown.left_out, "Dashed: what all would be if chains were the same"),
        )
        + _by_chain(steps)
        + _axes(shown, "fixed")
    )


def _by_chain(table: pd.DataFrame) -> Any:
    chains = sorted(table["chain"].unique(), key=int)
    values = [*CHAINS, *(colour(chain) for chain in chains[len(CHAINS) :])]
    return p9.scale_color_manual(
        values=dict(zip(chains, values, strict=False)),
        limits=chains,
        name="chain",
        guide=p9.guide_legend(override_aes={"size": 1, "alpha": 1}),
    )


def _axes(shown: Elements, scales: str) -> list[Any]:
    return [
        p9.scale_x_continuous(breaks=ticks(3)),
        p9.scale_y_continuous(breaks=ticks(4)),
        *panels("element", len(shown.values), scales, legend_position="bottom"),
    ]
