"""Starting points: within all constraints, near the data, and not the same for every chain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stanmix as sm
from stanmix.engines import engine
from stanmix.engines.base import SamplerSettings
from tests.cases import CASES, FRAME, Case

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_chain_of_every_case_starts_at_a_finite_density(case: Case) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors)
    starts = model.inits(SamplerSettings(chains=4, seed=7))
    assert len(starts) == 4
    for values in starts:
        assert set(values) == set(model.program.parameters)


def test_chains_start_apart() -> None:
    model = sm.model("y ~ mix(normal, K=2)", FRAME)
    starts = model.inits(SamplerSettings(chains=4, seed=1))
    assert len({tuple(np.round(v["mu"], 6)) for v in starts}) == 4


@pytest.mark.parametrize(
    "priors",
    [
        {},
        {"mu": "uniform(-1000, 1000)"},
        {"mu": "uniform(-1000, 1000)", "sigma": "uniform(0, 100000)"},
        {"mu": "gamma(2, 0.001)"},
    ],
    ids=["default", "wide location", "wide scale", "from zero"],
)
def test_chains_start_near_separated_groups_whatever_the_bounds(priors: dict[str, str]) -> None:
    rng = np.random.default_rng(1)
    centers = np.array([100.0, 103.0, 106.0, 109.0, 112.0])
    y = np.concatenate([rng.normal(m, 0.3, 30) for m in centers])
    model = sm.model("y ~ mix(normal, K=5)", {"y": y}, priors=priors)
    starts = model.inits(SamplerSettings(chains=4, seed=1))
    for given in starts:
        mu = placed(model, given)
        assert mu == pytest.approx(centers, abs=1.0)
        assert np.all((given["sigma"] > 0.1) & (given["sigma"] < 1.0))


def placed(model: sm.Model, values: Any) -> np.ndarray:
    """The locations at a starting point."""
    if "mu" in values:
        return np.asarray(values["mu"])
    parameter = model.spec.parameter("mu")
    share = 1 / (1 + np.exp(-np.asarray(values["mu_logit"])))
    return np.asarray(parameter.lower + (parameter.upper - parameter.lower) * share)


def test_no_chain_of_many_separated_groups_starts_in_a_lower_mode() -> None:
    centers = np.array([-10.0, -5.0, 0.0, 5.0, 10.0])
    for seed in range(3):
        rng = np.random.default_rng(100 + seed)
        y = rng.normal(centers[rng.choice(5, 500)])
        model = sm.model("y ~ mix(normal, K=5)", {"y": y})
        for values in model.inits(SamplerSettings(chains=4, seed=seed)):
            assert values["mu"] == pytest.approx(centers, abs=1.5)


def test_a_family_starts_where_it_fits() -> None:
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(0, 1, 60), rng.normal(50, 1, 60)])
    model = sm.model("y ~ mix(normal(mu=50) + normal(mu=0))", {"y": y})
    for values in model.inits(SamplerSettings(chains=4, seed=1)):
        assert (values["sigma"] < 10).all()


def test_an_impossible_start_is_reported_by_chain() -> None:
    model = sm.model("y ~ mix(normal, K=1)", FRAME, priors={"mu": "normal(0, 1e-200)"})
    with pytest.raises(sm.SamplingError, match="Chain 1 found no starting point"):
        model.inits(SamplerSettings(chains=1, seed=1))


def test_the_names_of_choices_do_not_decide_which_mode_is_found() -> None:
    formula = "rt | dec(choice) ~ hmm(wald + rdm, states=2, share=ndt)"
    runner, settings = engine("stanli"), SamplerSettings(chains=4, seed=1)
    heights = []
    for data in (FRAME, FRAME.assign(choice=3 - FRAME["choice"])):
        model = sm.model(formula, data)
        starts = model.inits(settings)
        modes = [runner.optimize(model.program, model.data, start).lp for start in starts]
        heights.append(max(modes))
    assert heights[0] == pytest.approx(heights[1], abs=0.01)


def test_rows_that_no_component_can_have_are_named() -> None:
    model = sm.model("rt ~ mix(wald(ndt=0.9), K=1)", FRAME)
    row = int(np.flatnonzero(FRAME["rt"] <= 0.9)[0])
    with pytest.raises(sm.SamplingError, match=rf"of the rows \(first: row {row}\)"):
        model.inits(SamplerSettings(chains=1, seed=1))


def test_the_gradient_is_finite_where_a_row_is_possible_in_the_last_component_alone() -> None:
    model = sm.model("rt ~ mix(wald, K=3, order=none)", FRAME)
    low, high = FRAME["rt"].min(), FRAME["rt"].median()
    values = {
        "threshold": np.ones(3),
        "drift": np.full(3, 2.0),
        "ndt": np.array([high, high + 0.1, low / 2]),
        "weights": np.full(3, 1 / 3),
    }
    density, gradient = engine("stanli").log_density(model.program, model.data, values)
    assert np.isfinite(density)
    assert np.isfinite(gradient).all()
    values["ndt"] = np.full(3, high)
    density, _ = engine("stanli").log_density(model.program, model.data, values)
    assert density == -np.inf
