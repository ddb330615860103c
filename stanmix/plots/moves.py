"""How states follow each other: the transition matrix as tiles, and as a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray

from stanmix.plots.look import by_state, caption, theme
from stanmix.questions.asking import require_kind

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

NODE = 0.16
"""Radius of a state in the graph, whose states lie on a circle of radius 1."""

DRAWN, ARROWS = 0.01, 30
"""Smallest probability of a move that has an arrow; most arrows between states."""

LABELLED, LABELS = 0.05, 16
"""The same of labels."""


def transition(fit: Fit) -> p9.ggplot:
    """The transition matrix of a hidden Markov model: posterior means and 95 % intervals.

    A row for each state that is left, a column for each that is entered. Moves that are not allowed
    have no tile. Where moves vary, these are those at the means of the covariates.

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
        The model is a mixture.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("transition")
    """
    moves, K = _moves(fit, "transition"), fit.model.spec.K
    moves["label"] = [f"{p:.2f}" for p in moves["mean"]]
    moves["interval"] = [
        f"{low:.2f}\u2013{high:.2f}" for low, high in zip(moves["low"], moves["high"], strict=True)
    ]
    moves["ink"] = np.where(moves["mean"] > 0.55, "white", "black")
    size = float(np.clip(64 / K, 4, 12))
    places = [str(state) for state in fit.model.spec.labels["state"]]
    ticks = list(range(1, K + 1))
    return (
        p9.ggplot(moves, p9.aes("state_to", "state"))
        + p9.geom_tile(p9.aes(fill="mean"), width=0.97, height=0.97)
        + p9.geom_text(p9.aes(label="label", color="ink"), size=size, nudge_y=0.12, va="center")
        + p9.geom_text(
            p9.aes(label="interval", color="ink"), size=0.78 * size, nudge_y=-0.2, va="center"
        )
        + p9.scale_color_identity()
        + p9.scale_fill_gradient(low="#f2f5f9", high="#08306b", limits=(0, 1), guide=None)
        + p9.scale_x_continuous(breaks=ticks, labels=places, limits=(0.5, K + 0.5), expand=(0, 0))
        + p9.scale_y_reverse(breaks=ticks, labels=places, limits=(K + 0.5, 0.5), expand=(0, 0))
        + p9.labs(
            x="to state",
            y="from state",
            caption=caption("Posterior means, and 95 % intervals", _at_means(fit)),
        )
        + theme(max(6.4, 0.7 * K), max(4.8, 0.5 * K))
        + p9.theme(panel_grid=p9.element_blank())
    )


def transition_graph(fit: Fit) -> p9.ggplot:
    """The moves between the states of a hidden Markov model as arrows, as wide as probable.

    States stand on a circle; posterior means of the probabilities beside the arrows. Moves that
    are not allowed, or hardly ever happen, have no arrow.

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
        The model is a mixture.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("transition_graph")
    """
    moves, spec = _moves(fit, "transition_graph"), fit.model.spec
    stays = moves["state"] == moves["state_to"]
    least, named_from = (
        max(smallest, *moves.loc[~stays, "mean"].nlargest(most + 1).iloc[most:])
        if (~stays).sum() > most
        else smallest
        for smallest, most in ((DRAWN, ARROWS), (LABELLED, LABELS))
    )
    drawn = moves[(moves["mean"] >= least) | (stays & (moves["mean"] >= DRAWN))]
    node = min(NODE, 1.1 / spec.K)
    angle = np.pi / 2 - 2 * np.pi * np.arange(spec.K) / spec.K
    if spec.K == 2:
        angle = np.array([np.pi, 0.0])
    centers = np.column_stack([np.cos(angle), np.sin(angle)]) if spec.K > 1 else np.zeros((1, 2))
    paths, labels = [], []
    for state, state_to, mean in zip(drawn["state"], drawn["state_to"], drawn["mean"], strict=True):
        i, j = state - 1, state_to - 1
        curve = _loop(centers[i], node) if i == j else _curve(centers[i], centers[j], node)
        own = {"move": f"{state} {state_to}", "mean": mean, "state": str(state)}
        paths.append(pd.DataFrame({"x": curve[:, 0], "y": curve[:, 1]}).assign(**own))
        x, y = _beside(centers[i], node) if i == j else curve[int(0.36 * len(curve))]
        if mean >= named_from or i == j:
            labels.append({"x": x, "y": y, "label": f"{mean:.2f}", **own})
    named = pd.DataFrame(labels, columns=["x", "y", "label", *own])
    nodes = pd.DataFrame(centers, columns=["x", "y"])
    nodes["state"] = [str(state) for state in spec.labels["state"]]
    discs = pd.concat(
        [
            pd.DataFrame(
                {"x": x + node * np.cos(_AROUND), "y": y + node * np.sin(_AROUND), "state": name}
            )
            for x, y, name in zip(nodes["x"], nodes["y"], nodes["state"], strict=True)
        ]
    )
    high = 1.6 if spec.K > 2 else 0.8
    omitted = bool(((moves["mean"] < least) & ~stays & (moves["high"] > 0)).any())
    return (
        p9.ggplot(pd.concat(paths), p9.aes("x", "y"))
        + p9.geom_path(
            p9.aes(group="move", size="mean", color="state"),
            arrow=p9.arrow(length=0.09, type="closed", angle=22),
            lineend="butt",
        )
        + p9.geom_polygon(p9.aes(fill="state"), data=discs)
        + p9.geom_text(p9.aes(label="state"), data=nodes, color="white", size=11, fontweight="bold")
        + p9.geom_label(
            p9.aes(label="label"),
            data=named,
            size=8,
            label_size=0,
            label_padding=0.08,
        )
        + p9.scale_size_continuous(range=(0.3, 2.6), limits=(0, 1), guide=None)
        + by_state(spec.labels["state"], spec.kind, "color", "fill")
        + p9.guides(color="none", fill="none")
        + p9.scale_x_continuous(limits=(-1.9, 1.9), expand=(0, 0))
        + p9.scale_y_continuous(limits=(-high, high), expand=(0, 0))
        + p9.coord_fixed()
        + p9.labs(
            x="",
            y="",
            caption=caption(
                "Posterior means",
                f"Moves below {least:.2g} have no arrow" if omitted else "",
                f"Moves below {named_from:.2g} have no label" if len(named) < len(drawn) else "",
                _at_means(fit),
            ),
        )
        + theme()
        + p9.theme(
            panel_grid=p9.element_blank(),
            axis_text=p9.element_blank(),
            axis_ticks=p9.element_blank(),
        )
    )


_AROUND = np.linspace(0, 2 * np.pi, 60)


def _moves(fit: Fit, picture: str) -> pd.DataFrame:
    """Posterior mean and 95 % interval of every allowed move."""
    require_kind(fit, "hmm", f'plot("{picture}")', 'plot("membership")')
    drawn = fit.draws["posterior"].to_dataset()["transition"]
    over = ["chain", "draw"]
    mean, low, high = drawn.mean(over), drawn.quantile(0.025, over), drawn.quantile(0.975, over)
    moves = [
        (i + 1, j + 1, *(float(part.values[i, j]) for part in (mean, low, high)))
        for i, row in enumerate(fit.model.spec.moves)
        for j, allowed in enumerate(row)
        if allowed
    ]
    return pd.DataFrame(moves, columns=["state", "state_to", "mean", "low", "high"])


def _at_means(fit: Fit) -> str:
    return "At the means of the covariates" if fit.model.spec.varies("transition") else ""


def _curve(start: Array, end: Array, node: float) -> Array:
    """Points from the edge of one state to that of another, bent to the left."""
    across = end - start
    bent = (start + end) / 2 + 0.18 * np.array([-across[1], across[0]])
    t = np.linspace(0, 1, 201)[:, None]
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * bent + t**2 * end
    outside = (np.hypot(*(points - start).T) > node) & (np.hypot(*(points - end).T) > 1.08 * node)
    return np.asarray(points[outside])


def _loop(center: Array, node: float) -> Array:
    """Points of a loop on the outer side of a state."""
    out = center / np.hypot(*center) if center.any() else np.array([0.0, 1.0])
    middle = center + 1.6 * node * out
    first = np.arctan2(*-out[::-1])
    angle = first + np.linspace(0.0, 2 * np.pi, 201)
    points = middle + 1.05 * node * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.asarray(points[np.hypot(*(points - center).T) > 1.05 * node])


def _beside(center: Array, node: float) -> Array:
    """The place of the label of a loop: beyond it."""
    out = center / np.hypot(*center) if center.any() else np.array([0.0, 1.0])
    return np.asarray(center + (3.1 * node + 0.1 * abs(out[0])) * out)
