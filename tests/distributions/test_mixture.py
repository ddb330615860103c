"""Mixtures at known parameters: densities, scores, moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import stanmix as sm
from stanmix.distributions import Mixture, component, components, gaussian_mixture
from stanmix.families import FAMILIES
from tests.distributions import exact
from tests.distributions.exact import log_mixture, mp, mpf

POSITIVE = [1e-30, 1e-3, 0.4, 1.0, 3.0, 40.0, 2e3]
REAL = [-2e3, -40.0, -3.0, 0.2, 2.5, 40.0, 2e3]
NOT_LOW = [-3.0, 0.2, 2.5, 40.0, 2e3]
LATE = [0.21, 0.25, 1.0, 30.0, 2e3]

CASES: dict[str, tuple[list[dict[str, float]], list[float]]] = {
    "normal": ([{"mu": -1, "sigma": 0.5}, {"mu": 2, "sigma": 2}], REAL),
    "student": (
        [{"mu": -1, "sigma": 0.5, "nu": 1}, {"mu": 2, "sigma": 2, "nu": 4}],
        [*REAL, 1e200],
    ),
    "laplace": ([{"mu": -1, "sigma": 0.5}, {"mu": 2, "sigma": 2}], REAL),
    "logistic": ([{"mu": -1, "sigma": 0.5}, {"mu": 2, "sigma": 2}], REAL),
    "gumbel": ([{"mu": -1, "sigma": 0.5}, {"mu": 2, "sigma": 2}], NOT_LOW),
    "exgaussian": ([{"mu": -1, "sigma": 0.5, "tau": 2}, {"mu": 2, "sigma": 1, "tau": 0.2}], REAL),
    "skew_normal": (
        [{"mu": -1, "sigma": 0.5, "alpha": 3}, {"mu": 2, "sigma": 2, "alpha": -1}],
        REAL,
    ),
    "lognormal": ([{"mu": 0, "sigma": 0.5}, {"mu": 1, "sigma": 1}], POSITIVE),
    "exponential": ([{"rate": 0.5}, {"rate": 3}], POSITIVE),
    "gamma": ([{"mu": 1, "shape": 0.5}, {"mu": 3, "shape": 4}], POSITIVE),
    "weibull": ([{"scale": 1, "shape": 0.5}, {"scale": 3, "shape": 2}], POSITIVE),
    "loglogistic": ([{"scale": 1, "shape": 0.5}, {"scale": 3, "shape": 2}], POSITIVE),
    "frechet": ([{"scale": 1, "shape": 0.5}, {"scale": 3, "shape": 2}], POSITIVE[1:]),
    "beta": ([{"mu": 0.3, "phi": 1}, {"mu": 0.6, "phi": 8}], [1e-30, 1e-3, 0.4, 0.9, 1 - 1e-9]),
    "von_mises": ([{"mu": -1, "kappa": 0.5}, {"mu": 2, "kappa": 900}], [-3.0, 0.1, 1.9, 3.0]),
    "wald": (
        [{"threshold": 1, "drift": 2, "ndt": 0.2}, {"threshold": 2, "drift": 0.5, "ndt": 0.1}],
        LATE,
    ),
}
"""Two components of each family, and points in their middle and far away."""

Terms = list[tuple[float, str, dict[str, float]]]


def mixture_of(terms: Terms) -> Mixture:
    weights, names, given = zip(*terms, strict=True)
    return Mixture(weights, [component(n, **g) for n, g in zip(names, given, strict=True)])


def test_every_family_of_one_column_with_a_score_is_tried() -> None:
    scored = {f.name for f in FAMILIES.values() if f.score and not f.response[0].many}
    assert scored - set(CASES) == {"uniform"}
    assert set(exact.FAMILIES) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_log_density_and_score_are_right_to_the_last_digits_and_far_away(name: str) -> None:
    given, points = CASES[name]
    terms = [(0.3, name, given[0]), (0.7, name, given[1])]
    target = mixture_of(terms)
    exactly = [float(log_mixture(y, terms)) for y in points]
    np.testing.assert_allclose(target.log_prob(points), exactly, rtol=1e-12, atol=1e-13)
    slopes = []
    for y in points:
        step = abs(mpf(y)) * mpf(10) ** -15
        rise = log_mixture(mpf(y) + step, terms) - log_mixture(mpf(y) - step, terms)
        slopes.append(float(rise / (2 * step)))
    np.testing.assert_allclose(target.score(points), slopes, rtol=2e-11, atol=1e-13)


def test_weights_may_be_nothing_or_next_to_nothing() -> None:
    terms: Terms = [
        (1.0, "normal", {"mu": 0, "sigma": 1}),
        (1e-300, "student", {"mu": 0, "sigma": 1, "nu": 3}),
        (0.0, "student", {"mu": 0, "sigma": 5, "nu": 1}),
    ]
    target = mixture_of(terms)
    points = [0.0, 30.0, 1e3, 1e8]
    exactly = [float(log_mixture(y, terms)) for y in points]
    np.testing.assert_allclose(target.log_prob(points), exactly, rtol=1e-13)
    # Only what has the weight 1e-300 reaches so far.
    np.testing.assert_allclose(target.score(1e8), -4e-8, rtol=1e-12)
    assert target.responsibility(1e8).tolist() == [0, 1, 0]
    assert float(target.variance()) == 1.0


def test_different_families_are_mixed_where_one_has_no_density() -> None:
    target = Mixture(
        [0.4, 0.6], [component("normal", mu=0, sigma=1), component("lognormal", mu=0, sigma=1)]
    )
    assert target.log_prob(-2.0) == pytest.approx(np.log(0.4) + stats.norm.logpdf(-2))
    assert target.score(-2.0) == pytest.approx(2.0)
    assert target.score(0.0) == 0.0
    x = np.linspace(0.1, 4, 5)
    density = 0.4 * stats.norm.pdf(x) + 0.6 * stats.lognorm.pdf(x, 1)
    np.testing.assert_allclose(np.exp(target.log_prob(x)), density)
    total = integrate.quad(lambda y: float(np.exp(target.log_prob(y))), -9, 200, points=[0, 1])[0]
    assert total == pytest.approx(1, abs=1e-6)


def test_outside_the_support_there_is_no_density_and_no_score() -> None:
    cases = [
        (components("gamma", mu=[1.0, 2], shape=0.5), [-1.0, 0.0]),
        (components("beta", mu=[0.2, 0.5], phi=1.0), [0.0, 1.0, 2.0]),
        (components("wald", threshold=[1.0, 2], drift=1.0, ndt=0.5), [0.5, 0.4]),
        (components("uniform", low=[0.0, 1], high=3.0), [-1.0, 4.0]),
    ]
    for both, points in cases:
        target = Mixture([0.5, 0.5], both)
        assert (target.log_prob(points) == -np.inf).all()
        assert np.isnan(target.score(points)).all()
        assert np.isnan(target.responsibility(points)).all()
    counts = Mixture([0.5, 0.5], components("poisson", rate=[1.0, 5]))
    assert (counts.log_prob([-1, 0.5, 1e300]) == -np.inf).all()
    classes = Mixture([1.0], [component("categorical", prob=[0.2, 0.8])])
    np.testing.assert_allclose(np.exp(classes.log_prob([0, 1, 2, 3])), [0, 0.2, 0.8, 0])


def test_angles_are_those_of_a_turn() -> None:
    target = Mixture([0.3, 0.7], components("von_mises", mu=[-1, 2], kappa=[2, 5]))
    assert target.log_prob(0.4) == pytest.approx(target.log_prob(0.4 + 2 * np.pi))
    total = integrate.quad(lambda y: float(np.exp(target.log_prob(y))), -np.pi, np.pi)[0]
    assert total == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "beside"),
    [
        (("poisson", {"rate": [1.0, 8.0]}), {}),
        (("negbinomial", {"mu": [1.0, 8.0], "shape": 2.0}), {}),
        (("hurdle_poisson", {"rate": [1.0, 8.0], "hu": 0.3}), {}),
        (("binomial", {"prob": [0.2, 0.8]}), {"trials": 9}),
        (("beta_binomial", {"prob": [0.2, 0.8], "phi": 3.0}), {"trials": 9}),
    ],
)
def test_sums_over_counts_give_the_total_and_the_moments(given: Any, beside: Any) -> None:
    name, params = given
    target = Mixture([0.25, 0.75], components(name, **params, **beside))
    counts = np.arange(400)
    mass = np.exp(target.log_prob(counts))
    assert mass.sum() == pytest.approx(1)
    assert target.mean() == pytest.approx(mass @ counts)
    assert target.variance() == pytest.approx(mass @ counts**2 - (mass @ counts) ** 2)
    with pytest.raises(sm.SpecError, match="no score"):
        target.score(counts)


def test_moments_are_those_of_integrals() -> None:
    target = Mixture(
        [0.3, 0.7], [component("gumbel", mu=1, sigma=2), component("student", mu=-3, sigma=1, nu=9)]
    )

    def moment(power: int) -> float:
        def term(y: float) -> float:
            return y**power * float(np.exp(target.log_prob(y)))

        return float(integrate.quad(term, -400, 400, points=[-3, 0, 3], limit=400)[0])

    assert moment(0) == pytest.approx(1)
    assert target.mean() == pytest.approx(moment(1))
    assert target.variance() == pytest.approx(moment(2) - moment(1) ** 2)


def test_moments_are_infinite_where_integrals_diverge() -> None:
    target = Mixture([0.5, 0.5], components("student", mu=0, sigma=1, nu=[2.0, 5.0]))
    assert target.mean() == 0
    assert target.variance() == np.inf
    plane = Mixture([0.5, 0.5], components("student", mu=[[0, 0], [1, 2]], sigma=1, nu=[2.0, 5.0]))
    assert np.isinf(np.diagonal(plane.covariance())).all()
    assert np.isnan(plane.covariance()[0, 1])
    never = Mixture([0.0, 1.0], components("student", mu=0, sigma=1, nu=[2.0, 5.0]))
    assert never.variance() == pytest.approx(5 / 3)


def test_columns_of_several_families_are_independent_given_the_component() -> None:
    both = [
        component("normal", mu=k, sigma=1) & component("poisson", rate=1 + 3 * k) for k in (0, 2)
    ]
    target = Mixture([0.4, 0.6], both)
    x = np.array([[[0.3, 2], [1.0, 0]]])
    each = [
        np.exp(stats.norm.logpdf(x[..., 0], k) + stats.poisson.logpmf(x[..., 1], 1 + 3 * k))
        for k in (0, 2)
    ]
    np.testing.assert_allclose(np.exp(target.log_prob(x)), 0.4 * each[0] + 0.6 * each[1])
    np.testing.assert_allclose(target.mean(), [0.6 * 2, 0.4 * 1 + 0.6 * 7])
    between = 0.24 * np.outer([2, 6], [2, 6])
    np.testing.assert_allclose(target.covariance(), between + np.diag([1, 0.4 * 1 + 0.6 * 7]))
    assert target.marginal(1).log_prob(3) == pytest.approx(
        np.log(0.4 * stats.poisson.pmf(3, 1) + 0.6 * stats.poisson.pmf(3, 7))
    )


def test_choices_come_with_their_times() -> None:
    race = component("rdm", threshold=1.0, drift=[2.0, 1.0], ndt=0.1)
    chance = component("wald", threshold=1.0, drift=2.0, ndt=0.1, choices=2)
    target = Mixture([0.5, 0.5], [race, chance])
    total = 0.0
    for choice in (1, 2):

        def density(rt: float, choice: int = choice) -> float:
            return float(np.exp(target.log_prob([rt, choice])))

        total += integrate.quad(density, 0.1, 40, points=[0.5, 2], limit=200)[0]
    assert total == pytest.approx(1, abs=1e-7)
    assert target.log_prob([0.5, 3]) == -np.inf
    values = target.sample(50, seed=1).values
    assert set(values[:, 1]) == {1, 2}
    alone = Mixture([1.0], [chance]).marginal(0)
    assert alone.log_prob(0.5) == pytest.approx(
        Mixture([1.0], [chance]).log_prob([0.5, 1]) + np.log(2)
    )


def test_shares_have_the_covariances_of_a_dirichlet_distribution() -> None:
    mu, phi = np.array([0.2, 0.3, 0.5]), 7.0
    target = Mixture([1.0], [component("dirichlet", mu=mu, phi=phi)])
    np.testing.assert_allclose(target.covariance(), stats.dirichlet(mu * phi).cov())
    assert target.log_prob([0.1, 0.4, 0.5]) == pytest.approx(
        stats.dirichlet(mu * phi).logpdf([0.1, 0.4, 0.5])
    )
    assert target.log_prob([0.1, 0.4, 0.4]) == -np.inf
    with pytest.raises(sm.SpecError, match="declares no score"):
        target.score([0.1, 0.4, 0.5])


def test_leading_axes_are_free() -> None:
    target = gaussian_mixture([0.5, 0.5], [[0, 0, 0], [1, 2, 3]], 1.0)
    x = np.random.default_rng(1).normal(size=(4, 1, 5, 3))
    assert target.log_prob(x).shape == (4, 1, 5)
    assert target.log_omega(x).shape == target.responsibility(x).shape == (4, 1, 5, 2)
    assert target.score(x).shape == x.shape
    assert target.log_prob(x[2, 0, 3]) == target.log_prob(x)[2, 0, 3]
    assert (target.score(x[2, 0, 3]) == target.score(x)[2, 0, 3]).all()
    assert target.log_prob(np.zeros((0, 3))).shape == (0,)
    alone = Mixture([1.0], [component("normal", mu=0, sigma=1)])
    assert isinstance(alone.log_prob(0.0), float)
    assert alone.score(np.zeros((2, 0))).shape == (2, 0)


def test_draws_have_the_distribution_and_their_components() -> None:
    target = Mixture(
        [0.2, 0.0, 0.8],
        [
            component("normal", mu=-2, sigma=1),
            component("normal", mu=0, sigma=1),
            component("gumbel", mu=3, sigma=0.5),
        ],
    )
    values, states = target.sample(4000, seed=1)
    assert stats.kstest(values, target.cdf).pvalue > 0.001
    assert stats.kstest(values[states == 3], stats.gumbel_r(3, 0.5).cdf).pvalue > 0.001
    counts = np.bincount(states, minlength=4)
    assert counts[2] == 0
    assert stats.binomtest(int(counts[1]), 4000, 0.2).pvalue > 0.001
    assert (target.sample(10, seed=1).values == target.sample(10, seed=1).values).all()
    whole = Mixture([1.0], [component("poisson", rate=3)]).sample(5)
    assert whole.values.dtype == np.int64


def test_exact_scores_agree_with_those_of_mpmath() -> None:
    terms: Terms = [(0.5, "normal", {"mu": -4, "sigma": 1}), (0.5, "normal", {"mu": 4, "sigma": 1})]
    slope = mp.diff(lambda y: log_mixture(y, terms), mpf("0.01"))
    assert mixture_of(terms).score(0.01) == pytest.approx(float(slope), rel=1e-13)
