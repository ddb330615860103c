"""The states of a series over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotnine as p9
from numpy.typing import NDArray

from stanmix.data import is_missing, numbers
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.levels import level, levels_of
from stanmix.plots.bands import bands
from stanmix.plots.look import GREY, by_state, caption, legend_of, shortened, text, theme, ticks
from stanmix.questions.asking import require_kind

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEW = 500
"""Most points that are large."""

JOINED = 2000
"""Most rows of a series that a line joins."""


def states(fit: Fit, series: Any = None) -> p9.ggplot:
    """A series over time, with what its rows say of the states of a hidden Markov model.

    A panel for each column of the response, with rows coloured by the state that is most probable
    given all; the probabilities of the states given the rows up to each (filtering) and given all
    rows (smoothing); and of the most likely paths of all draws (Viterbi) the most frequent state,
    as high as the share of paths that are in it.

    Parameters
    ----------
    fit
        The fit.
    series
        Which series; the first one if not given.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        The model is a mixture, or has no such series.

    Warns
    -----
    ConvergenceWarning
        As `Fit.membership`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> picture = f.plot("states")
    """
    require_kind(fit, "hmm", 'plot("states")', 'plot("membership")')
    spec = fit.model.spec
    shown = _shown(fit, series)
    labels = spec.labels["state"]
    over = ["chain", "draw"]
    smoothed = fit.membership().to_numpy()[shown.places]
    filtered = fit.filtering().mean(over).values[shown.places]
    paths = fit.viterbi().values[..., shown.places].reshape(-1, len(shown.places))
    agreeing = np.stack([(paths == k + 1).mean(axis=0) for k in range(spec.K)], axis=1)
    frequent = np.where(np.eye(spec.K)[agreeing.argmax(axis=1)] > 0, agreeing, 0.0)
    below = {"filtering": filtered, "smoothing": smoothed, "Viterbi": frequent}
    # A column may be called as one of these.
    below = {f"p({n})" if n in fit.model.table.columns else n: p for n, p in below.items()}
    likely = np.asarray([str(label) for label in labels])[smoothed.argmax(axis=1)]
    points, codes = _points(fit, shown, likely)
    panels: Any = [*dict.fromkeys(points["panel"]), *below]
    shapes = pd.concat([bands(p, labels, shown.at).assign(panel=name) for name, p in below.items()])
    for data in (points, shapes):
        data["panel"] = pd.Categorical(data["panel"], panels)
    picture = p9.ggplot(points, p9.aes("along", "value"))
    whole = [_range(points, name) for name in codes]
    runs = _runs(points)
    if 0 < len(runs) <= JOINED and spec.unit is None:
        picture += p9.geom_line(p9.aes(group="run"), color=GREY, data=runs)
    return (
        picture
        + p9.geom_point(
            p9.aes(color="state"), size=1.4 if len(points) <= FEW else 0.6, show_legend=False
        )
        + p9.geom_polygon(p9.aes("along", "height", fill="state"), data=shapes)
        + p9.facet_grid("panel", scales="free_y", labeller=lambda name: text(name, 16))
        + p9.scale_x_continuous(breaks=ticks(8, least=1), expand=(0.01, 0))
        + p9.scale_y_continuous(breaks=ticks(4, whole=whole))
        + by_state(labels, spec.kind, "fill", "color")
        + p9.labs(
            x=text(shown.axis, 60),
            y="",
            caption=caption(
                shown.name,
                *(f"{name}: {meaning}" for name, meaning in codes.items()),
                "Viterbi: the most frequent state of the most likely paths, as high as the share "
                "of draws that agree",
            ),
        )
        + theme(6.4, max(4.8, 0.9 * len(panels) + 1.2))
        + p9.theme(strip_text_y=p9.element_text(angle=0, ha="left"))
    )


@dataclass(frozen=True, eq=False)
class Shown:
    """A series.

    Parameters
    ----------
    name
        What to say of it: nothing where there is no other.
    places
        The places of its rows, or units, in answers.
    at
        Where they are in time.
    rows
        The user's rows that belong to it.
    row_at
        Where these are in time.
    axis
        What time is called.
    """

    name: str
    places: Integers
    at: Array
    rows: Integers
    row_at: Array
    axis: str


def _shown(fit: Fit, series: Any) -> Shown:
    spec, rows = fit.model.spec, fit.model.rows
    which = _which(fit, series)
    ends = np.append(rows.starts[1:], len(rows.unit_size))
    units = np.arange(rows.starts[which], ends[which])
    heads = np.append(rows.heads, len(rows.order))
    own = rows.order[heads[units[0]] : heads[units[-1] + 1]]
    at = np.arange(len(units), dtype=np.float64)
    first = rows.order[rows.heads[units]]
    if spec.time is not None:
        at = numbers(fit.model.table, spec.time)[first]
    elif spec.unit is not None and fit.model.table.columns[spec.unit].dtype.kind in "iuf":
        values = numbers(fit.model.table, spec.unit)[first]
        # Units are in the order of rows, and may be called anything.
        at = values if (np.diff(values) > 0).all() else at
    name = ""
    if spec.series is not None:
        label, count = shortened(rows.series_labels[which]), len(rows.series_labels)
        name = f"Series {label}" + (f", the first of {count}" if series is None else f" of {count}")
    unit = "row" if spec.unit is None else spec.unit
    return Shown(
        name,
        units if spec.unit is not None else own,
        at,
        own,
        np.repeat(at, rows.unit_size[units]),
        spec.time or unit,
    )


def _which(fit: Fit, series: Any) -> int:
    """The place of a series among all."""
    if series is None:
        return 0
    if fit.model.spec.series is None:
        raise SpecError("The model has one series, so there is none to choose.")
    names = [str(label) for label in fit.model.rows.series_labels]
    if str(series) not in names:
        hint = did_you_mean(str(series), names)
        message = f"There is no series `{series}`; there are {listing(names)}."
        raise SpecError(Problem(message, hint=hint))
    return names.index(str(series))


def _points(fit: Fit, shown: Shown, likely: Any) -> tuple[pd.DataFrame, dict[str, str]]:
    """The seen responses of a series, and what the numbers of its categories mean."""
    spec, table = fit.model.spec, fit.model.table
    state = likely
    if spec.unit is not None:
        state = np.repeat(likely, fit.model.rows.unit_size[shown.places])
    parts, codes = [], {}
    for response in spec.responses:
        if response.addition and response.kind != "choice":
            continue
        for column in response.columns:
            if response.kind in ("category", "choice"):
                names = levels_of(table, column, missing=True)
                codes[column] = legend_of(names)
                seen = ~is_missing(table, column)
                values = np.full(table.n_rows, np.nan)
                own = table.columns[column].to_numpy()[seen]
                values[seen] = [names.index(level(v)) + 1 for v in own]
            else:
                values = numbers(table, column, missing=True)
            part = {"along": shown.row_at, "value": values[shown.rows], "state": state}
            parts.append(pd.DataFrame(part).assign(panel=column))
    return pd.concat(parts).dropna(), codes


def _range(points: pd.DataFrame, panel: str) -> tuple[float, float]:
    """The smallest and largest value of a panel."""
    values = points.loc[points["panel"] == panel, "value"]
    return float(values.min()), float(values.max())


def _runs(points: pd.DataFrame) -> pd.DataFrame:
    """Points with what lines join them: not over times without a row, or a response."""
    apart = points.groupby("panel", observed=True)["along"].diff() != 1
    runs = points.assign(run=apart.cumsum())
    return runs[runs.groupby("run")["run"].transform("size") > 1]
