"""How a quantity changes with a covariate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import plotnine as p9

from stanmix.plots.look import DARK, by_state, caption, panels, shortened, text, theme, ticks

if TYPE_CHECKING:
    from stanmix.fit import Fit

SUMMARY = ("mean", "q2.5", "median", "q97.5")
"""The columns of a table of effects that are no dimension."""


def effects(
    fit: Fit,
    covariate: str,
    *,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
    values: Any = None,
) -> p9.ggplot:
    """A quantity by the values of a covariate: posterior means and 95 % intervals.

    Lines with bands where the covariate is a number, points with intervals where it has levels;
    a colour for each component or state, and a panel for each place along other dimensions.

    Parameters
    ----------
    fit
        The fit.
    covariate, of, at, values
        As in `Fit.effects`.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError, DataError
        As `Fit.effects`.
    """
    return drawn(fit.effects(covariate, of=of, at=at, values=values), fit.model.spec.kind)


def drawn(table: pd.DataFrame, kind: str) -> p9.ggplot:
    """The picture of a table that `Fit.effects` returned, of a model of a kind."""
    dims = [str(name) for name in table.columns if name not in ("value", *SUMMARY)]
    shown = table.rename(columns={"q2.5": "low", "q97.5": "high"}).reset_index(drop=True)
    states = sorted(shown["state"].unique(), key=int) if "state" in dims else []
    shown["group"] = shown["state"].astype(str) if states else ""
    others = [dim for dim in dims if dim != "state"]
    parts = [[f"{_said(dim)}{value}" for value in shown[dim]] for dim in others]
    titles = [", ".join(each) for each in zip(*parts, strict=True)] if parts else [""] * len(shown)
    shown["panel"] = pd.Categorical(titles, list(dict.fromkeys(titles)))
    number = pd.api.types.is_numeric_dtype(shown["value"])
    number = number and not pd.api.types.is_bool_dtype(shown["value"])
    picture = _lines(shown, states) if number else _intervals(shown, states)
    covariate = text(table.attrs["covariate"], 60 if number else 36)
    of = text(table.attrs["of"], 36 if number else 60)
    picture += p9.labs(
        x=covariate if number else of,
        y=of if number else covariate,
        caption=caption("Posterior means, and 95 % intervals"),
    )
    if states:
        picture += by_state(states, kind, "color", "fill")
    count = len(shown["panel"].cat.categories)
    if not others:
        return picture + theme()
    return picture + panels("panel", count, "free_y" if number else "free_x")


def _lines(shown: pd.DataFrame, states: Sequence[Any]) -> p9.ggplot:
    """Of a number: a line with a band for each state."""
    by = {"color": "group", "fill": "group"} if states else {}
    plain = {} if states else {"color": DARK}
    return (
        p9.ggplot(shown, p9.aes("value", "mean", group="group", **by))
        + p9.geom_ribbon(p9.aes(ymin="low", ymax="high"), alpha=0.2, color="none")
        + p9.geom_line(size=0.9, **plain)
    )


def _intervals(shown: pd.DataFrame, states: Sequence[Any]) -> p9.ggplot:
    """Of levels, which may have long names: a line of its own for each, from top to bottom."""
    levels = list(dict.fromkeys(map(str, shown["value"])))
    groups = [str(state) for state in states] or [""]
    middle, room = (len(groups) - 1) / 2, len(groups) + 1
    apart = {group: (i - middle) / room for i, group in enumerate(groups)}
    at = shown["value"].astype(str).map(levels.index) + 1 + shown["group"].map(apart)
    by = {"color": "group"} if states else {}
    plain = {} if states else {"color": DARK}
    return (
        p9.ggplot(shown.assign(at=at), p9.aes("mean", "at", **by))
        + p9.geom_segment(p9.aes("low", "at", xend="high", yend="at"), size=0.8, **plain)
        + p9.geom_point(size=2, **plain)
        + p9.scale_x_continuous(breaks=ticks(5))
        + p9.scale_y_reverse(
            breaks=list(range(1, len(levels) + 1)),
            labels=[text(shortened(name), 24) for name in levels],
        )
    )


def _said(dim: str) -> str:
    """How a place along a dimension is announced; columns and levels speak for themselves."""
    return {"column": "", "state_to": "to state "}.get(dim, f"{dim} ")
