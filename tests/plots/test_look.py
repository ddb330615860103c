"""Colours, labels and ticks."""

from __future__ import annotations

import matplotlib.colors as colors
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanmix.plots.bands import bands
from stanmix.plots.look import by_state, colour, shortened, text, ticks


def thickness(shapes: pd.DataFrame, state: object, at: float) -> float:
    """How high a state stands at one place."""
    own = shapes[shapes["state"] == str(state)]
    n = len(own) // 2
    # Along the bottom, and back along the top.
    along = own["along"].to_numpy()[:n]
    bottom, top = own["height"].to_numpy()[:n], own["height"].to_numpy()[n:][::-1]
    (i,) = np.flatnonzero((along[:-1] == at - 0.5) & (along[1:] == at + 0.5))
    assert top[i] == top[i + 1] and bottom[i] == bottom[i + 1]
    return float(top[i] - bottom[i])


def test_states_differ_in_colour_however_many_there_are() -> None:
    found = np.array([colors.to_rgb(colour(k)) for k in range(1, 31)])
    apart = np.linalg.norm(found[:, None] - found[None], axis=-1) + 9 * np.eye(30)
    assert apart[:12, :12].min() > 0.15
    assert apart.min() > 0.03


def test_a_state_has_the_same_colour_beside_few_and_many() -> None:
    few, many = (by_state(range(1, K + 1), "hmm", "fill")[0] for K in (2, 9))
    assert list(few.palette(2)) == list(many.palette(9))[:2]
    assert few.name == "state" and by_state([1], "mix", "fill")[0].name == "component"


@given(st.text("abc XYZ_.,;:/|-01", max_size=90))
def test_labels_are_broken_and_nothing_of_them_is_lost(label: str) -> None:
    lines = text(label, 12).split("\n")
    assert max(map(len, lines)) <= 12
    assert "".join("".join(lines).split()) == "".join(label.split())


def test_dollar_signs_start_no_formula() -> None:
    assert text("a $ b $") == r"a \$ b \$"
    assert shortened("a $") == r"a \$"


@given(st.text(max_size=90), st.integers(3, 30))
def test_long_names_are_shortened_in_the_middle(name: str, most: int) -> None:
    line = " ".join(name.split())
    found = shortened(name, most).replace(r"\$", "$")
    assert found == line if len(line) <= most else len(found) == most and "…" in found


@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
    st.integers(2, 9),
)
def test_ticks_lie_within_their_axis_and_are_few(low: float, length: float, most: int) -> None:
    found = ticks(most)((low, low + length))
    assert len(found) <= most
    assert all(low - 1e-6 * length <= tick <= low + length * (1 + 1e-6) for tick in found)
    assert len(found) > 1 or most == 2


def test_whole_numbers_have_whole_ticks() -> None:
    assert ticks(8, least=1)((-0.6, 2.6)) == [0, 1, 2]
    assert ticks(4, whole=[(1, 2)])((0.95, 2.05)) == [1, 2]
    assert ticks(4, whole=[(1, 1)])((0.5, 1.5)) == [1]
    assert ticks(4)((0.95, 2.05)) == [1, 1.5, 2]


def test_bands_are_as_high_as_probabilities_and_stand_on_each_other() -> None:
    probabilities = np.random.default_rng(1).dirichlet([1, 1, 1], 6)
    at = np.array([0.0, 1, 2, 5, 6, 9])
    shapes = bands(probabilities, [1, 2, 3], at)
    for i, place in enumerate(at):
        found = [thickness(shapes, k, place) for k in (1, 2, 3)]
        assert found == pytest.approx(probabilities[i])
    assert shapes["height"].between(0, 1 + 1e-12).all()


def test_nothing_stands_between_places_that_are_apart() -> None:
    shapes = bands(np.array([[1.0], [1.0]]), [1], np.array([0.0, 4.0]))
    x, y = shapes["along"].to_numpy(), shapes["height"].to_numpy()
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    assert area == pytest.approx(2)
