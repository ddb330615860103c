"""Means and variances that references declare, against draws of theirs and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from stanmix.families import FAMILIES

DRAWS = 200_000

TRIALS = np.full(DRAWS, 7)

CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("exgaussian", {"mu": -1.0, "sigma": 0.5, "tau": 2.0}, {}),
    ("gumbel", {"mu": -1.0, "sigma": 0.5}, {}),
    ("skew_normal", {"mu": -1.0, "sigma": 2.0, "alpha": -3.0}, {}),
    ("student", {"mu": 1.0, "sigma": 2.0, "nu": 12.0}, {}),
    ("lognormal", {"mu": 0.5, "sigma": 0.4}, {}),
    ("gamma", {"mu": 3.0, "shape": 2.0}, {}),
    ("weibull", {"scale": 3.0, "shape": 1.7}, {}),
    ("loglogistic", {"scale": 3.0, "shape": 9.0}, {}),
    ("frechet", {"scale": 3.0, "shape": 9.0}, {}),
    ("beta", {"mu": 0.3, "phi": 4.0}, {}),
    ("uniform", {"low": -1.0, "high": 4.0}, {}),
    ("negbinomial", {"mu": 4.0, "shape": 1.5}, {}),
    ("geometric", {"prob": 0.3}, {}),
    ("binomial", {"prob": 0.3}, {"trials": TRIALS}),
    ("beta_binomial", {"prob": 0.3, "phi": 2.5}, {"trials": TRIALS}),
    ("zero_inflated_poisson", {"rate": 3.0, "zi": 0.2}, {}),
    ("zero_inflated_negbinomial", {"mu": 3.0, "shape": 2.0, "zi": 0.2}, {}),
    ("zero_inflated_binomial", {"prob": 0.4, "zi": 0.2}, {"trials": TRIALS}),
    ("hurdle_poisson", {"rate": 1.2, "hu": 0.4}, {}),
    ("hurdle_negbinomial", {"mu": 2.0, "shape": 1.5, "hu": 0.4}, {}),
    ("wald", {"threshold": 1.5, "drift": 2.0, "ndt": 0.3}, {}),
    ("normal[full]", {"mu": [1.0, -2.0], "sigma": [1.0, 3.0], "corr": [[1, 0.4], [0.4, 1]]}, {}),
    ("student[spherical]", {"mu": [1.0, -2.0], "sigma": 2.0, "nu": 12.0}, {}),
    ("dirichlet", {"mu": [0.2, 0.5, 0.3], "phi": 3.0}, {}),
]


@pytest.mark.parametrize(("key", "params", "given"), CASES, ids=[c[0] for c in CASES])
def test_moments_are_those_of_draws(key: str, params: Any, given: Any) -> None:
    params = {k: np.array(v, dtype=float) if np.ndim(v) else v for k, v in params.items()}
    reference = FAMILIES[key].reference(**params)
    drawn = np.atleast_2d(reference.rvs(DRAWS, random_state=np.random.default_rng(1), **given))
    mean = np.broadcast_to(reference.mean(**given), drawn.shape)[:, 0]
    variance = np.broadcast_to(reference.var(**given), drawn.shape)[:, 0]
    off = drawn - drawn.mean(axis=1, keepdims=True)
    error = np.sqrt(np.mean(off**4, axis=1) - variance**2)
    assert (abs(drawn.mean(axis=1) - mean) < 4 * np.sqrt(variance / DRAWS)).all()
    assert (abs(drawn.var(axis=1) - variance) < 4 * error / np.sqrt(DRAWS)).all()


@pytest.mark.parametrize("drift", [-3.0, -0.4, 0.0, 1e-9, 0.4, 3.0])
def test_the_mean_of_a_diffusion_is_that_of_draws(drift: float) -> None:
    wiener = FAMILIES["wiener"].reference(threshold=1.4, drift=drift, bias=0.3, ndt=0.2)
    rt = wiener.rvs(DRAWS, random_state=np.random.default_rng(1), A=2)[:, 0]
    assert abs(rt.mean() - wiener.mean(A=2)) < 4 * rt.std() / np.sqrt(DRAWS)


def test_a_time_with_a_choice_by_chance_has_the_same_moments() -> None:
    wald = FAMILIES["wald"].reference(threshold=1.5, drift=2.0, ndt=0.3)
    assert wald.mean(A=3) == wald.mean() == pytest.approx(0.3 + 0.75)
    assert wald.var(A=3) == wald.var() == pytest.approx(1.5 / 8)
    assert FAMILIES["wald"].reference(threshold=1.5, drift=0.0, ndt=0.3).mean() == np.inf


def test_moments_are_infinite_where_integrals_diverge() -> None:
    shape = np.array([0.8, 1.0, 1.5, 2.0, 5.0])
    frechet = FAMILIES["frechet"].reference(scale=2.0, shape=shape)
    exact = stats.invweibull(5.0, scale=2.0)
    assert frechet.mean()[4] == pytest.approx(exact.mean())
    assert frechet.var()[4] == pytest.approx(exact.var())
    assert np.isinf(frechet.mean()).tolist() == [True, True, False, False, False]
    assert np.isinf(frechet.var()).tolist() == [True, True, True, True, False]
    student = FAMILIES["student[diag]"].reference(mu=np.zeros(2), sigma=np.ones(2), nu=2.0)
    assert np.isinf(student.var()).all()
