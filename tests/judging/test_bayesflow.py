"""Networks that learn posteriors: what goes to BayesFlow, and what comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import stanmix as sm
from tests.cases import CASES

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore"),
]

SMALL = {"depth": 2, "transform": "affine", "subnet_kwargs": {"widths": (16,)}}


def in_order(data: np.ndarray) -> np.ndarray:
    return np.sort(data[..., 0], axis=1)


def small() -> Any:
    """A network that is quickly compiled."""
    import bayesflow

    return bayesflow.networks.CouplingFlow(**SMALL)


@pytest.fixture(scope="module")
def one() -> tuple[sm.Bridge, Any]:
    """A location and a scale, and a network that has learned something of them."""
    priors = {"mu": "normal(0, 2)", "sigma": "gamma(4, 2)"}
    model = sm.model("y ~ mix(normal, K=1)", {"y": [0.3, 1.1, -0.4, 0.8]}, priors=priors)
    bridge = sm.to_bayesflow(
        model, summary=lambda y: np.stack([y.mean(axis=(1, 2)), np.log(y.std(axis=(1, 2)))], axis=1)
    )
    workflow = bridge.workflow(inference_network=small())
    workflow.fit_offline(bridge.sample(2000, seed=1), epochs=3, batch_size=100, verbose=0)
    return bridge, workflow.approximator


def test_draws_come_back_with_the_names_and_labels_of_the_model(
    one: tuple[sm.Bridge, Any],
) -> None:
    bridge, approximator = one
    draws = bridge.draws(approximator, 300, seed=1)
    posterior = draws["posterior"].to_dataset()
    assert posterior["mu"].dims == ("chain", "draw", "state")
    assert dict(posterior.sizes) == {"chain": 1, "draw": 300, "state": 1}
    assert (posterior["sigma"] > 0).all()
    assert bridge.model.with_draws(draws).summary().index.tolist()[0] == "mu[1]"
    again = bridge.draws(approximator, 300, seed=1)["posterior"].to_dataset()
    xr.testing.assert_allclose(again, posterior)


def test_the_density_that_comes_back_is_one_of_parameters(one: tuple[sm.Bridge, Any]) -> None:
    """It integrates to 1 over mean and scale, so that the Jacobian of the scale is in it."""
    bridge, approximator = one
    mu, sigma = np.linspace(-6, 7, 131), np.linspace(0.02, 9, 150)
    grid = {
        "mu": np.repeat(mu, len(sigma))[:, None],
        "sigma": np.tile(sigma, len(mu))[:, None],
        "weights": np.ones((len(mu) * len(sigma), 1)),
    }
    density = np.exp(bridge.log_q(approximator)(grid))
    cell = (mu[1] - mu[0]) * (sigma[1] - sigma[0])
    assert density.sum() * cell == pytest.approx(1, abs=0.03)


def test_the_density_of_draws_is_that_of_their_parameters(one: tuple[sm.Bridge, Any]) -> None:
    bridge, approximator = one
    draws = bridge.draws(approximator, 200, seed=2)
    values = {str(n): v.values[0] for n, v in draws["posterior"].to_dataset().items()}
    log_q = draws["sample_stats"]["log_q"].values[0]
    # Networks count in 24 bits.
    np.testing.assert_allclose(bridge.log_q(approximator)(values), log_q, atol=1e-2)


def test_the_referee_takes_what_comes_back(one: tuple[sm.Bridge, Any]) -> None:
    bridge, approximator = one
    fit = bridge.model.fit(engine="stanli", seed=1)
    log_q = bridge.log_q(approximator)
    draws = bridge.draws(approximator, 1000)
    found = sm.referee(fit, draws, log_q, scale="constrained")
    assert found.psis is not None and found.psis.broken == {}
    assert 0 <= found.psis.lacking <= 1


def test_a_network_may_learn_the_summary_of_a_series() -> None:
    case = next(case for case in CASES if case.name == "switches")
    model = sm.model(case.formula, case.data, priors=case.priors)
    bridge = sm.to_bayesflow(model)
    simulated = bridge.simulator.sample((50,))
    n = model.table.n_rows
    # Response times and choices, the latter as numbers from 1.
    assert simulated["data"].shape == (50, n, 2)
    assert set(np.unique(simulated["data"][..., 1])) == {1.0, 2.0}
    assert bridge.observed["data"].shape == (1, n, 2)
    workflow = bridge.workflow(inference_network=small())
    workflow.fit_offline(bridge.sample(64, seed=1), epochs=1, batch_size=32, verbose=0)
    draws = bridge.draws(workflow.approximator, 100)
    # The bound by the shortest response is that of the posterior, and not of the prior.
    assert (draws["posterior"]["ndt"] > 0).all()
    assert draws["posterior"]["transition"].dims[2:] == ("state", "state_to")


def test_units_are_places_and_their_rows_numbers() -> None:
    data = {"y": np.arange(6.0), "id": ["b", "a", "b", "a", "c", "c"]}
    bridge = sm.to_bayesflow(sm.model("y | unit(id) ~ mix(normal(sigma=1), K=2)", data))
    np.testing.assert_array_equal(bridge.observed["data"], [[[0, 2], [1, 3], [4, 5]]])


@pytest.mark.parametrize(
    ("formula", "data", "message"),
    [
        ("y ~ mix(normal, K=2); mu ~ x", {"x": np.arange(9.0)}, "slopes, effects of groups"),
        (
            "y ~ mix(von_mises, K=2)",
            {"y": np.linspace(-3, 3, 9)},
            "`mu_direction` would have to be",
        ),
        ("y ~ mix(normal, K=2)", {"y": [np.nan, *range(8)]}, "need a response in every row"),
        ("y | cens(c) ~ mix(normal, K=2)", {"c": [0] * 8 + [1]}, "none that is censored"),
        ("y | known(k) ~ mix(normal, K=2)", {"k": [1, 2] + [np.nan] * 7}, r"`known\(k\)`"),
        ("y | unit(g) ~ mix(normal, K=2)", {"g": list("aaabbbbcc")}, "the same number of rows"),
        ("y | series(g) ~ hmm(normal, states=2)", {"g": list("aaabbbbcc")}, "need one series"),
        (
            "s | trials(n) ~ mix(binomial, K=2)",
            {"n": [9] * 8 + [20], "s": range(9)},
            "`n` may differ by",
        ),
        ("y ~ mix(normal, K=2); mu ~ 0 + offset(y)", {}, "`offset of mu` may differ by row"),
    ],
)
@pytest.mark.filterwarnings("ignore::stanmix.IdentifiabilityWarning")
def test_what_networks_cannot_learn_is_refused(
    formula: str, data: dict[str, Any], message: str
) -> None:
    model = sm.model(formula, {"y": np.linspace(0, 9, 9), **data})
    with pytest.raises(sm.SpecError, match=message):
        sm.to_bayesflow(model)


def test_a_summary_that_is_none_is_refused() -> None:
    model = sm.model("y ~ mix(normal, K=2)", {"y": np.linspace(0, 9, 9)})
    with pytest.raises(sm.DataError, match=r"`summary` gives an array of shape \(\) for 3 data"):
        sm.to_bayesflow(model, summary=np.mean).sample(3)
    with pytest.raises(sm.DataError, match="A model is needed, not str"):
        sm.to_bayesflow("y ~ mix(normal, K=2)")  # type: ignore[arg-type]
