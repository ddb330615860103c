"""Calibration by simulation: ranks of true values, and how well they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotnine as p9

from stanmix.plots.look import BARS, DARK, GREY, STRIKING, caption, panels, ticks

if TYPE_CHECKING:
    from stanmix.judging.recovery import Recovery
    from stanmix.judging.sbc import Calibration


def calibration(found: Calibration) -> p9.ggplot:
    """The distribution functions of ranks, less that of a uniform number, within their bands.

    Parameters
    ----------
    found
        What `stanmix.sbc` returned.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.
    """
    at = found.band["at"].to_numpy()
    lines = []
    leaving = set(found.table.index[found.table["leaves"]])
    for name in found.pit:
        ecdf = np.searchsorted(np.sort(found.pit[name]), at, side="right") / len(found.pit)
        line = pd.DataFrame({"at": at, "off": ecdf - at, "quantity": name})
        lines.append(line.assign(leaves=name in leaving))
    drawn = pd.concat(lines)
    drawn["quantity"] = pd.Categorical(drawn["quantity"], list(found.pit))
    band = found.band.assign(low=found.band["lower"] - at, high=found.band["upper"] - at)
    return (
        p9.ggplot(drawn)
        + p9.geom_ribbon(p9.aes("at", ymin="low", ymax="high"), data=band, fill=GREY)
        + p9.geom_step(p9.aes("at", "off", color="leaves"), size=0.6, show_legend=False)
        + p9.scale_color_manual(values={True: STRIKING, False: DARK})
        + p9.scale_x_continuous(breaks=[0, 0.5, 1], labels=["0", "0.5", "1"])
        + p9.scale_y_continuous(breaks=ticks(4))
        + p9.labs(
            x="rank of the true value, as a share",
            y="share of fits below, less what is expected",
            caption=caption(
                f"{len(found.pit)} fits of simulated data. Grey: where all lines lie together with "
                "a probability of 99 %, if posteriors are right"
            ),
        )
        + panels("quantity", len(found.pit.columns))
    )


def recovered(found: Recovery) -> p9.ggplot:
    """Posterior means, with central 90 % intervals, against true values.

    Parameters
    ----------
    found
        What `stanmix.recovery` returned.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.
    """
    names = list(found.table.index)
    each = found.each.assign(quantity=pd.Categorical(found.each["quantity"], names))
    return (
        p9.ggplot(each, p9.aes("truth", "mean"))
        + p9.geom_abline(slope=1, intercept=0, color=DARK, linetype="dashed", size=0.4)
        + p9.geom_linerange(p9.aes(ymin="low", ymax="high"), color=BARS, size=0.4, alpha=0.7)
        + p9.geom_point(size=0.8, color=DARK)
        + p9.scale_x_continuous(breaks=ticks(4))
        + p9.scale_y_continuous(breaks=ticks(4))
        + p9.labs(
            x="true value",
            y="posterior mean",
            caption=caption(
                f"{found.each['data'].nunique()} simulated data sets. Lines: 90 % intervals. "
                "Dashed: as it should be"
            ),
        )
        + panels("quantity", len(names), "free")
    )
