"""What all pictures have in common: colours of states, text, and a theme."""

from __future__ import annotations

import colorsys
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import plotnine as p9

GREY = "#d9d9d9"
"""What stands behind."""

CHAINS = ("#3B3B6D", "#C77CA3", "#5BA3A0", "#B5A642")
"""Colours of the first chains, which are not those of states."""

PALE = "#f0f0f0"
"""An empty place."""

DARK = "#4d4d4d"
"""What is of no one state."""

BARS = "#9fb8d1"
"""Bars of what is drawn."""

STRIKING = "#B2182B"
"""What the reader should see first."""

SIDES = {"reference": DARK, "draws": "#EE7733"}
"""Colours of a reference and of draws that are judged by it, which are not those of states."""

PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
    "#6A3D9A",
    "#A6761D",
    "#882255",
    "#8DA000",
    "#00363A",
    "#B8A9D9",
)
"""Colours of the first states; those of Okabe and Ito, which all readers can tell apart, first."""


def colour(label: Any) -> str:
    """The colour of a state or component, the same in every picture.

    Parameters
    ----------
    label
        Its number, from 1.

    Examples
    --------
    >>> colour(2)
    '#E69F00'
    """
    place = int(label) - 1
    if place < len(PALETTE):
        return PALETTE[place]
    # Hues as far from each other as can be, however many there are.
    lightness = (0.3, 0.5, 0.7)[place % 3]
    shades = colorsys.hls_to_rgb(place * 0.618034 % 1.0, lightness, 0.6)
    return "#" + "".join(f"{round(255 * shade):02X}" for shade in shades)


def word(kind: str) -> str:
    """What the states of a kind of model are called."""
    return "component" if kind == "mix" else "state"


def by_state(
    states: Iterable[Any],
    kind: str,
    *aesthetics: Literal["color", "fill"],
    below: bool = False,
) -> list[Any]:
    """Scales that give every state its colour.

    Parameters
    ----------
    states
        The states, by number.
    kind
        The kind of model they are of: `mix` or `hmm`.
    *aesthetics
        What is coloured; the legend is that of the first.
    below
        Whether the legend stands below the picture.
    """
    values = {str(state): colour(state) for state in states}
    scales = {"color": p9.scale_color_manual, "fill": p9.scale_fill_manual}
    lines = {"nrow" if below else "ncol": 1 + (len(values) - 1) // 12}
    guide = p9.guide_legend(**lines, override_aes={"alpha": 1})
    return [
        scales[a](
            values=values,
            limits=list(values),
            name=word(kind),
            guide=guide if a == aesthetics[0] else None,
        )
        for a in aesthetics
    ]


def text(label: Any, width: int = 24) -> str:
    r"""A label as it is drawn: in lines of at most `width` characters, broken where words end.

    Dollar signs are shown, and start no formula.

    Examples
    --------
    >>> text("response_time_of_the_second_session", 20)
    'response_time_of_\nthe_second_session'
    """
    lines = [line for given in str(label).splitlines() for line in _lines(given, width)]
    return "\n".join(lines).replace("$", r"\$")


def _lines(line: str, width: int) -> list[str]:
    lines = [""]
    for piece in re.findall(r"[^\s_.,;:/|-]*[\s_.,;:/|-]*", line):
        for part in [piece[i : i + width] for i in range(0, len(piece), width)]:
            if lines[-1] and len((lines[-1] + part).rstrip()) > width:
                lines.append("")
            lines[-1] += part
    return [each.strip() for each in lines]


def shortened(label: Any, most: int = 40) -> str:
    """A label on one line, with dots in its middle if it is longer than `most` characters.

    Examples
    --------
    >>> shortened("abcdefghij", 7)
    'abc…hij'
    """
    line = " ".join(str(label).split())
    if len(line) > most:
        kept = most - 1
        line = f"{line[: kept - kept // 2]}…{line[len(line) - kept // 2 :]}"
    return line.replace("$", r"\$")


def named(label: Any, most: int = 40) -> str:
    """A label of a row or term on one line; of several columns, separated by commas.

    Examples
    --------
    >>> named(("a", 3))
    'a, 3'
    """
    return shortened(", ".join(map(str, label)) if isinstance(label, tuple) else label, most)


def legend_of(names: Iterable[Any]) -> str:
    """What the numbers of categories mean.

    Examples
    --------
    >>> legend_of(["low", "high"])
    '1 is low, 2 is high'
    """
    return ", ".join(f"{i} is {shortened(name, 20)}" for i, name in enumerate(names, 1))


def caption(*sentences: str, width: int = 110) -> str:
    """Sentences below a picture, in lines that fit; empty ones are left out."""
    whole = ". ".join(s for s in sentences if s)
    return textwrap.fill(whole, width, break_on_hyphens=False).replace("$", r"\$")


def theme(width: float = 6.4, height: float = 4.8, **own: Any) -> Any:
    """The theme of all pictures, of a size that is taken where none is given.

    Parameters
    ----------
    width, height
        In inches.
    **own
        As for `plotnine.theme`.
    """
    return p9.theme_minimal(base_size=10) + p9.theme(
        figure_size=(width, height),
        plot_background=p9.element_rect(fill="white", color="white"),
        plot_caption=p9.element_text(size=7.5, color=DARK, ha="left", ma="left"),
        plot_caption_position="plot",
        plot_margin=0.015,
        panel_grid_minor=p9.element_blank(),
        strip_text=p9.element_text(size=8.5),
        axis_text=p9.element_text(size=8),
        legend_key_size=12,
        **own,
    )


def panels(column: str, count: int, scales: str = "fixed", **own: Any) -> list[Any]:
    """Panels for the values of a column, as many beside each other as there is room for.

    Parameters
    ----------
    column
        The column.
    count
        How many panels there are.
    scales
        As for `plotnine.facet_wrap`.
    **own
        As for `theme`.
    """
    across = next(n for n in (1, 2, 3, 4) if n == 4 or count <= n * n)
    width, size = {1: (60, 9), 2: (30, 9), 3: (24, 8), 4: (18, 7)}[across]
    height = 1.5 * -(-count // across)
    return [
        p9.facet_wrap(column, scales=scales, ncol=across, labeller=lambda name: text(name, width)),
        theme(max(6.4, 2.1 * across), max(4.8, height)),
        p9.theme(strip_text=p9.element_text(size=size), **own),
    ]


def ticks(
    most: int, *, least: float = 0.0, whole: Sequence[tuple[float, float]] = ()
) -> Callable[[Sequence[float]], list[float]]:
    """Breaks of an axis of numbers: round ones, at most so many.

    Parameters
    ----------
    most
        How many.
    least
        The smallest step between two.
    whole
        The smallest and largest value of panels that have whole numbers only.

    Examples
    --------
    >>> ticks(3)((0.3, 9.0))
    [2.5, 5.0, 7.5]
    >>> ticks(9, least=1)((-0.5, 1.5))
    [0.0, 1.0]
    """

    def count(step: float, low: float, high: float) -> int:
        return int(np.floor(high / step) - np.ceil(low / step)) + 1

    def breaks(limits: Sequence[float]) -> list[float]:
        low, high = min(limits), max(limits)
        if not low < high:
            return [float(low)]
        size = 10.0 ** np.floor(np.log10((high - low) / most))
        # An axis reaches a little beyond its values.
        inside = (np.ceil(low), np.floor(high))
        smallest = 1.0 if inside in whole and high - low < 1.11 * np.ptp(inside) + 1.11 else least
        # Tenths, fifths and halves; others where these leave next to nothing.
        for factors in ((1, 2, 5, 10, 20), (1, 2, 2.5, 3, 4, 5, 10, 20)):
            step = next(s for f in factors if count(s := size * f, low, high) <= most)
            step = max(smallest, step)
            if count(step, low, high) > 1:
                break
        places = np.arange(np.ceil(low / step), np.floor(high / step) + 1)
        return [float(place) for place in np.round(places * step, 12) + 0.0]

    return breaks
