"""Pictures are asked for by name, and drawn without a warning."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import stanmix as sm
from stanmix.plots import PICTURES
from tests.plots.conftest import fitted

pytestmark = pytest.mark.engine

OF_CHAINS = {"states", "transition", "transition_graph"}
OF_COLUMNS = {"pairs"}


@pytest.mark.parametrize("name", sorted(set(PICTURES) - OF_CHAINS - OF_COLUMNS - {"effects"}))
def test_pictures_of_a_mixture_are_drawn(mixture: sm.Fit, name: str) -> None:
    mixture.plot(name).draw()


@pytest.mark.parametrize("name", sorted(set(PICTURES) - OF_COLUMNS - {"components", "effects"}))
def test_pictures_of_a_chain_are_drawn(chain: sm.Fit, name: str) -> None:
    chain.plot(name).draw()


@pytest.mark.parametrize("name", ["pairs", "membership", "trace", "prior", "check", "predictive"])
def test_pictures_of_several_columns_are_drawn(columns: sm.Fit, name: str) -> None:
    columns.plot(name).draw()


@pytest.mark.parametrize("name", sorted(OF_CHAINS))
def test_pictures_of_chains_are_refused_of_mixtures(mixture: sm.Fit, name: str) -> None:
    with pytest.raises(sm.SpecError, match="A mixture has no"):
        mixture.plot(name)


@pytest.mark.parametrize("y", [[3], [3, 4]])
@pytest.mark.parametrize(
    "name", ["components", "membership", "trace", "prior", "predictive", "check", "states"]
)
def test_one_row_and_one_state_are_enough(name: str, y: list[int]) -> None:
    fit = fitted("y ~ hmm(poisson, states=1)", {"y": y})
    fit.plot(name).draw()


@pytest.mark.parametrize("name", ["components", "check", "predictive", "residuals", "prior"])
def test_rows_that_are_all_the_same_are_drawn(name: str) -> None:
    priors = {"mu": "normal(0, 1)", "sigma": "exponential(1)"}
    fit = fitted("y ~ mix(normal, K=1)", {"y": [3.0] * 4}, priors=priors)
    fit.plot(name).draw()


@pytest.mark.parametrize("name", ["states", "check", "predictive", "residuals", "autocorrelation"])
def test_columns_may_be_called_as_what_is_drawn_of_them(name: str) -> None:
    rng = np.random.default_rng(9)
    data = {"smoothing": rng.poisson(3, 20), "mean": rng.normal(0, 1, 20)}
    fitted("cbind(smoothing, mean) ~ hmm(poisson & normal, states=1)", data).plot(name).draw()


@pytest.mark.parametrize("name", ["states", "predictive", "residuals", "membership"])
def test_limited_rows_are_no_hindrance(name: str) -> None:
    data = {"y": np.arange(1.0, 13), "how": ["none", "right", "left"] * 4}
    fitted("y | cens(how) ~ hmm(weibull, states=1)", data).plot(name).draw()


def test_nothing_is_predicted_beside_rows_of_which_none_is_known() -> None:
    data = {"y": np.arange(1.0, 13), "how": ["right", "left"] * 6}
    fit = fitted("y | cens(how) ~ mix(weibull, K=1)", data)
    with pytest.raises(sm.SpecError, match="No row has a response that is known exactly"):
        fit.plot("predictive")


def test_the_components_are_what_is_drawn_without_a_name(mixture: sm.Fit) -> None:
    assert mixture.plot().labels.y == "density"


def test_an_unknown_picture_is_refused_with_the_nearest_one(mixture: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match="no picture 'traces'(?s:.*)did you mean `trace`"):
        mixture.plot("traces")


@pytest.mark.parametrize("name", [None, 3, ["trace"]])
def test_what_is_no_name_is_refused(mixture: sm.Fit, name: object) -> None:
    with pytest.raises(sm.SpecError, match="There is no picture"):
        mixture.plot(name)


@pytest.mark.parametrize(
    ("name", "option", "message"),
    [
        ("trace", "variable", "has no option `variable`(?s:.*)did you mean `variables`"),
        ("components", "variables", "has no option `variables`"),
        ("check", "fit", "has no option `fit`"),
    ],
)
def test_an_unknown_option_is_refused(
    mixture: sm.Fit, name: str, option: str, message: str
) -> None:
    with pytest.raises(sm.SpecError, match=message):
        mixture.plot(name, **{option: 1})


def test_every_picture_of_a_fit_is_said_where_they_are_asked_for() -> None:
    said = inspect.getdoc(sm.Fit.plot)
    assert [name for name in PICTURES if f"`{name}`" not in said] == []
