"""How well models predict: by their number of components, and by term."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9

from stanmix.errors import SpecError
from stanmix.plots.look import DARK, GREY, STRIKING, caption, named, theme, ticks, word

if TYPE_CHECKING:
    from stanmix.elpd import Elpd
    from stanmix.sweeps import Sweep

NAMED = 8
"""Most terms that are named: those with the largest k."""


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
    kind = next(iter(found.fits.values())).model.spec.kind
    return (
        p9.ggplot(table, p9.aes("K", "elpd"))
        + p9.geom_line(color=GREY)
        + p9.geom_linerange(p9.aes(ymin="low", ymax="high"))
        + p9.geom_point(size=2)
        + p9.geom_text(p9.aes(label="label"), nudge_x=0.08, ha="left", va="bottom", size=8)
        + p9.scale_x_continuous(breaks=list(table["K"]), expand=(0.08, 0.1))
        + p9.labs(
            x=f"{word(kind)}s",
            y="elpd",
            caption="Bars: one standard error of the difference to the best. "
            "Numbers: the smallest weight",
        )
        + theme()
    )


def pareto_k(elpd: Elpd) -> p9.ggplot:
    """The Pareto k of each term, in the order of the data, with the largest that can be trusted.

    Terms above it are named, and those marked for which the model was fitted again: these have no
    k.

    Parameters
    ----------
    elpd
        What `Fit.loo` returned.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        Terms have no k: nothing was sampled by importance.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal(sigma=1), K=2)", {"y": y}, engine="stanli", seed=1)
    >>> picture = f.loo().plot()
    """
    terms = elpd.terms
    table = pd.DataFrame(
        {
            "place": np.arange(len(terms)),
            "k": terms["pareto_k"].to_numpy(np.float64),
            "name": [named(label, 36) for label in terms.index],
            "refitted": terms["refitted"].to_numpy(bool),
        }
    )
    infinite = np.isposinf(table["k"])
    if table["k"].isna().all():
        raise SpecError(f"{elpd.method} has no Pareto k.")
    finite = table["k"][np.isfinite(table["k"])]
    low, high = min([0.0, *finite]), max([1.0, *finite])
    top = high + 0.12 * (high - low)
    table["shown"] = table["k"].where(~infinite, top)
    again = table["refitted"] & table["k"].isna()
    table.loc[again, "shown"] = low - 0.08 * (high - low)
    kinds: Any = ["trusted", "not trusted", "fitted again"]
    bad = table["k"] > elpd.good_k
    table["kind"] = np.select([again, bad], ["fitted again", "not trusted"], "trusted")
    table = table.dropna(subset=["shown"])
    worst = _named(table[table["k"] > elpd.good_k].nlargest(NAMED, "shown"), top - low, len(terms))
    present = [kind for kind in kinds if (table["kind"] == kind).any()]
    unnamed = int(bad.sum()) > len(worst)
    return (
        p9.ggplot(table, p9.aes("place", "shown"))
        + p9.annotate(
            "segment",
            x=-0.5,
            xend=len(terms) - 0.5,
            y=elpd.good_k,
            yend=elpd.good_k,
            linetype="dashed",
            color=DARK,
        )
        + p9.geom_point(p9.aes(color="kind", shape="kind"), size=1.6, alpha=0.85)
        + p9.geom_segment(p9.aes(xend="x", yend="y"), data=worst, color=STRIKING, size=0.25)
        + p9.geom_text(p9.aes("x", "y", label="name"), data=worst, ha="left", size=7)
        + p9.scale_x_continuous(breaks=ticks(6, least=1)((0, len(terms) - 1)))
        + p9.expand_limits(x=_end(worst, len(terms)))
        + p9.scale_color_manual(
            values=dict(zip(kinds, [DARK, STRIKING, "#4393C3"], strict=True)),
            limits=present,
            name="term",
        )
        + p9.scale_shape_manual(
            values=dict(zip(kinds, ["o", "o", "^"], strict=True)), limits=present, name="term"
        )
        + p9.labs(
            x=f"{elpd.kind}, in the order of the data",
            y="Pareto k",
            caption=caption(
                f"{elpd.method}. Dashed: {elpd.good_k:.2f}, the largest k to be trusted for this "
                "number of draws",
                "At the top: an infinite k" if infinite.any() else "",
                "At the bottom: terms without k" if again.any() else "",
                f"Named: the worst {len(worst)} of {int(bad.sum())}" if unnamed else "",
            ),
        )
        + theme(legend_position="bottom")
    )


def _named(bad: pd.DataFrame, height: float, count: int) -> pd.DataFrame:
    """Where the names of terms stand: beside all points, and not on each other."""
    highest = bad.sort_values("shown", ascending=False)
    y = highest["shown"].to_numpy(np.float64).copy()
    for i in range(1, len(y)):
        y[i] = min(y[i], y[i - 1] - 0.055 * height)
    return highest.assign(x=1.03 * count, y=y)


def _end(worst: pd.DataFrame, count: int) -> float:
    """How far the axis reaches, so that there is room for the names."""
    share = 0.011 * worst["name"].str.len().max() if len(worst) else 0.0
    return count * (1.0 + share / (1.0 - share))
