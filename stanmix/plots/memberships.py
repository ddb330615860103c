"""Which component each row is in, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9

from stanmix import latent
from stanmix.plots.bands import bands
from stanmix.plots.look import DARK, PALE, by_state, caption, named, theme, word

if TYPE_CHECKING:
    from stanmix.fit import Fit

NAMED = 40
"""Most rows whose names are shown."""


def membership(fit: Fit) -> p9.ggplot:
    """The probabilities of the components of each row, and how uncertain they leave it.

    Rows, or units, stand in the order of their most probable component, and of its probability.
    Beside them is the entropy of the probabilities, as a share of the largest there is: 0 where the
    component is certain, 1 where all are as probable.

    Parameters
    ----------
    fit
        The fit.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Warns
    -----
    ConvergenceWarning
        As `Fit.membership`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("membership")
    """
    spec, found = fit.model.spec, fit.membership()
    probabilities = found.to_numpy()
    likely = probabilities.argmax(axis=1)
    order = np.lexsort((-probabilities.max(axis=1), likely))
    probabilities = probabilities[order]
    largest = np.log(spec.K) if spec.K > 1 else 1.0
    entropy = latent.entropy(probabilities) / largest
    at = np.arange(1.0, len(order) + 1)
    levels: Any = ["probability", "entropy"]
    shapes = pd.concat(
        [
            bands(probabilities, spec.labels["state"], at).assign(panel="probability"),
            bands(entropy[:, None], [""], at).assign(panel="entropy"),
        ]
    )
    shapes["panel"] = pd.Categorical(shapes["panel"], levels)
    whole = bands(np.ones((1, 1)), [""], at.mean(keepdims=True)).assign(panel="entropy")
    whole["along"] = np.where(whole["along"] < at.mean(), 0.5, len(at) + 0.5)
    whole["panel"] = pd.Categorical(whole["panel"], levels)
    what = "units" if spec.unit else "rows"
    names = [named(found.index[i]) for i in order]
    few = len(names) <= NAMED
    return (
        p9.ggplot(shapes, p9.aes("height", "along"))
        + p9.geom_polygon(p9.aes(fill="state"), data=shapes[shapes["panel"] == "probability"])
        + p9.geom_polygon(p9.aes(group="state"), data=whole, fill=PALE)
        + p9.geom_polygon(data=shapes[shapes["panel"] == "entropy"], fill=DARK)
        + p9.facet_grid(cols="panel", space={"x": [3, 1], "y": [1]})
        + p9.scale_x_continuous(
            breaks=[0, 0.5, 1], labels=["0", "0.5", "1"], limits=(0, 1 + 1e-6), expand=(0, 0)
        )
        + p9.scale_y_reverse(
            breaks=list(at) if few else [],
            labels=names if few else [],
            limits=(len(at) + 0.5, 0.5),
            expand=(0, 0),
        )
        + by_state(spec.labels["state"], spec.kind, "fill")
        + p9.labs(
            x="",
            y="" if few else f"{len(names)} {what}",
            caption=caption(
                f"{what.capitalize()} in the order of their most probable {word(spec.kind)}",
                "Entropy: as a share of the largest there is",
            ),
        )
        + theme(6.4, max(4.8, 0.16 * len(names) + 1.2) if few else 4.8)
        + p9.theme(
            panel_grid=p9.element_blank(),
            panel_spacing_x=0.04,
            axis_text_y=p9.element_text(size=8 if len(names) <= 20 else 6),
        )
    )
