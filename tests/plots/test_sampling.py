"""Draws of parameters: one after the other, by rank, and beside the prior."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import stanmix as sm
from stanmix.diagnostics import element_names
from stanmix.plots.elements import elements
from tests.plots.conftest import fitted

pytestmark = pytest.mark.engine


def test_a_trace_holds_the_draws_of_each_chain(mixture: sm.Fit) -> None:
    shown = mixture.plot("trace", variables=["mu", "sigma[2]"]).data
    assert list(shown["element"].cat.categories) == ["mu[1]", "mu[2]", "sigma[2]"]
    own = shown[(shown["element"] == "sigma[2]") & (shown["chain"] == "2")]
    drawn = mixture.draws["posterior"]["sigma"].sel(state=2).values[1]
    assert own.sort_values("draw")["value"].tolist() == drawn.tolist()


@pytest.mark.parametrize("picture", ["trace", "ranks", "prior"])
def test_a_dozen_elements_that_vary_are_shown_and_the_others_named(
    columns: sm.Fit, picture: str
) -> None:
    drawn = columns.plot(picture)
    shown = drawn.data["element"].cat.categories
    # 6 means, 6 scales; 6 correlations and 2 weights are left out.
    assert len(shown) == 12 and shown[0].startswith("mu[1, ") and shown[11].startswith("sigma[2, ")
    text = " ".join(drawn.labels.caption.split())
    assert "first 12 of 20 elements; left out are others of corr, weights" in text


def test_ranks_are_counted_over_all_chains(mixture: sm.Fit) -> None:
    shown = mixture.plot("ranks", variables="mu[1]").data
    drawn = mixture.draws["posterior"]["mu"].sel(state=1).values
    ranks = stats.rankdata(drawn).reshape(drawn.shape)
    bins = shown["bin"].max()
    edges = np.linspace(0.5, drawn.size + 0.5, bins + 1)
    for chain in (0, 1):
        own = shown[shown["chain"] == str(chain + 1)].sort_values("bin")
        assert own["count"].tolist()[:-1] == np.histogram(ranks[chain], edges)[0].tolist()
        assert own["rank"].to_numpy() == pytest.approx(edges)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("mus", "no `mus`(?s:.*)did you mean `mu`"),
        (["mu", "sigma[3]"], "no `sigma\\[3\\]`"),
        ([], "must name a parameter"),
        (3, "holds names of parameters"),
        ([None], "no `None`"),
    ],
)
@pytest.mark.parametrize("picture", ["trace", "ranks", "prior"])
def test_unknown_variables_are_refused(
    mixture: sm.Fit, picture: str, variables: object, message: str
) -> None:
    with pytest.raises(sm.SpecError, match=message):
        mixture.plot(picture, variables=variables)


def test_more_elements_than_there_is_room_for_are_refused() -> None:
    many = xr.Dataset({"r": (("chain", "draw", "group"), np.zeros((1, 2, 61)))})
    with pytest.raises(sm.SpecError, match="61 elements, and a picture has room for 60"):
        elements(many, "r")


def test_correlations_are_named_once_and_moves_all() -> None:
    corr = xr.DataArray(np.ones((2, 3, 2, 2)), dims=["chain", "draw", "column", "column_to"])
    assert list(element_names(corr.rename("corr"))) == ["corr[1, 2]"]
    moves = corr.rename(column="state", column_to="state_to").rename("transition")
    assert len(element_names(moves)) == 4


def test_a_summary_lists_each_correlation_once(columns: sm.Fit) -> None:
    assert sum(name.startswith("corr") for name in columns.summary().index) == 2 * 3


def test_prior_and_posterior_are_as_dense_as_their_draws(mixture: sm.Fit) -> None:
    picture = mixture.plot("prior", variables="sigma[1]")
    bars, line = picture.data, picture.layers[1]._data
    width = bars["high"] - bars["low"]
    assert (bars["density"] * width).sum() == pytest.approx(1)
    drawn = mixture.draws["posterior"]["sigma"].sel(state=1).values
    middle = (bars["low"] + bars["high"]) / 2
    assert (bars["density"] * width * middle).sum() == pytest.approx(drawn.mean(), abs=width[0])
    # The prior in closed form: sigma ~ inv_gamma(3, scale).
    scale = float(mixture.model.data["y_scale"])
    prior = stats.invgamma(3, scale=scale)
    inside = np.diff(prior.cdf([bars["low"].min(), bars["high"].max()]))[0]
    area = (line["density"].to_numpy()[::2] * width).sum()
    assert area == pytest.approx(inside, abs=0.03)


def test_a_panel_shows_all_of_the_posterior_and_not_all_of_a_wide_prior(mixture: sm.Fit) -> None:
    bars = mixture.plot("prior", variables="mu[2]").data
    drawn = mixture.draws["posterior"]["mu"].sel(state=2).values
    assert bars["low"].min() <= drawn.min() and bars["high"].max() >= drawn.max()
    assert bars["high"].max() - bars["low"].min() <= 5.001 * np.ptp(drawn)


def test_a_flat_prior_is_not_drawn() -> None:
    with pytest.warns(sm.IdentifiabilityWarning):
        fit = fitted("y ~ mix(poisson, K=1)", {"y": [3, 4, 6]}, priors={"rate": "flat"})
    with pytest.raises(sm.SpecError, match="flat"):
        fit.plot("prior")
