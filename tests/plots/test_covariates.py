"""Effects of covariates, from tables made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import stanmix as sm
from stanmix.plots.covariates import drawn
from stanmix.plots.look import colour
from tests.test_regression import short_fit

LEVEL = "the second condition of session one"


def table(values: list[object], **dims: list[object]) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([values, *dims.values()], names=["value", *dims])
    found = index.to_frame(index=False)
    mean = np.arange(float(len(found)))
    found = found.assign(**{"mean": mean, "q2.5": mean - 1, "median": mean, "q97.5": mean + 2})
    found.attrs |= {"covariate": "dose of the medicine in mg", "of": "mu"}
    return found


def test_a_number_has_a_line_with_a_band_for_each_state() -> None:
    found = table([0.0, 1.0, 2.5], state=[1, 2])
    picture = drawn(found, "mix")
    assert picture.data[["value", "mean", "low", "high"]].to_numpy() == pytest.approx(
        found[["value", "mean", "q2.5", "q97.5"]].to_numpy()
    )
    assert picture.data["group"].tolist() == ["1", "2"] * 3
    assert [type(x.geom).__name__ for x in picture.layers] == ["geom_ribbon", "geom_line"]
    assert (picture.labels.x, picture.labels.y) == ("dose of the medicine in mg", "mu")
    picture.draw()


def test_levels_have_intervals_in_their_order_from_top_to_bottom() -> None:
    found = table(["none", LEVEL], state=[1, 3])
    picture = drawn(found, "mix")
    at = picture.data["at"].to_numpy()
    assert np.round(at).tolist() == [1, 1, 2, 2] and (np.diff(at) > 0).all()
    segment = picture.layers[0].mapping
    assert (segment["x"], segment["xend"]) == ("low", "high")
    scale = picture.scales[1]
    assert scale.labels[0] == "none" and " ".join(scale.labels[1].split()) == LEVEL
    picture.draw()


def test_states_have_their_own_colours_whichever_there_are() -> None:
    scales = {s.aesthetics[0]: s for s in drawn(table([0, 1], state=[2, 5]), "mix").scales}
    assert list(scales["color"].palette(2).values()) == [colour(2), colour(5)]


def test_other_dimensions_have_panels() -> None:
    found = table([0, 1], state=[1, 2], column=["u", "v"])
    assert list(drawn(found, "mix").data["panel"].cat.categories) == ["u", "v"]
    moves = table([0, 1], state=[1, 2], state_to=[1, 2])
    picture = drawn(moves, "mix")
    assert list(picture.data["panel"].cat.categories) == ["to state 1", "to state 2"]
    picture.draw()


@pytest.mark.parametrize("values", [[0, 1], ["a", "b"], [True, False]])
def test_a_quantity_without_states_is_drawn(values: list[object]) -> None:
    drawn(table(values), "mix").draw()


@pytest.mark.parametrize("kind", ["mix", "hmm"])
def test_states_are_called_what_they_are(kind: str) -> None:
    found = table([0, 1], state=[1, 2])
    names = {scale.name for scale in drawn(found, kind).scales}
    assert names == {"component" if kind == "mix" else "state"}


@pytest.mark.engine
def test_the_effects_of_a_fit_are_drawn_by_name() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(0, 1, 30)
    data = {"y": 3 * x + rng.normal(size=30), "x": x}
    fit = short_fit("y ~ mix(normal, K=1); mu ~ x", pd.DataFrame(data))
    picture = fit.plot("effects", covariate="x", of="mu", values=[0, 1])
    assert picture.data["mean"].to_numpy() == pytest.approx(
        fit.effects("x", of="mu", values=[0, 1])["mean"].to_numpy()
    )
    picture.draw()
    with pytest.raises(sm.SpecError, match="The picture 'effects' needs `covariate`"):
        fit.plot("effects")
    with pytest.raises(sm.SpecError, match="no such covariate|has no covariate"):
        fit.plot("effects", covariate="z")
