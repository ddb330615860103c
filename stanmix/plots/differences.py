"""Where the distribution functions of two sets of draws differ."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import plotnine as p9

from stanmix.judging.compared import Compared
from stanmix.judging.ecdfs import differences
from stanmix.plots.elements import ROOM, elements_of_two
from stanmix.plots.look import DARK, GREY, STRIKING, caption, panels, ticks

MOST = 16
"""Most numbers that are shown where none are asked for."""


def ecdf(pair: Compared, variables: str | Iterable[str] | None = None) -> p9.ggplot:
    """The distribution functions of draws less those of a reference, within a band.

    Draws and reference are of one distribution if all lines stay inside, but for one comparison in
    twenty. A line that is above 0 everywhere says that the draws lie too low; one that is above 0
    first and then below it, that they are too wide.

    Parameters
    ----------
    pair
        The draws.
    variables
        Names of parameters (`mu`), or of single numbers (`mu[1]`); if not given, the sixteen that
        are most distant by Kolmogorov and Smirnov, the most distant first.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        There is no such number, or there are too many.
    """
    shown, left_out = elements_of_two(pair, variables, MOST, ROOM)
    # Those that are shown are the most distant of all, which the band has to allow for.
    found = differences(pair, shown if variables is not None else pair.reference.names)
    drawn = found[found["number"].isin(shown)]
    away = set(drawn["number"][drawn["off"].abs() > drawn["limit"]])
    drawn = drawn.assign(
        number=pd.Categorical(drawn["number"], shown),
        leaves=drawn["number"].isin(away),
        low=-drawn["limit"],
    )
    return (
        p9.ggplot(drawn, p9.aes("at"))
        + p9.geom_ribbon(p9.aes(ymin="low", ymax="limit"), fill=GREY)
        + p9.geom_line(p9.aes(y="off", color="leaves"), size=0.6, show_legend=False)
        + p9.scale_color_manual(values={True: STRIKING, False: DARK})
        + p9.scale_x_continuous(breaks=[0, 0.5, 1], labels=["0", "0.5", "1"])
        + p9.scale_y_continuous(breaks=ticks(4))
        + p9.labs(
            x="share of all draws below",
            y="share of the draws below, less that of the reference",
            caption=caption(
                left_out,
                f"{pair.n} draws of each",
                "Above 0: the draws lie lower than the reference",
                "Grey: where all lines lie together with a probability of 95 %, if both are of one "
                "distribution",
            ),
        )
        + panels("number", len(shown))
    )
