"""Gaussian mixtures by arrays, and the targets that samplers are tried with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp, softmax

import stanmix as sm
from stanmix.distributions import Mixture, gaussian_mixture, gmm40, uniform_means

RNG = np.random.default_rng(7)
K, D = 3, 4
WEIGHTS = np.array([0.5, 0.2, 0.3])
MU = RNG.normal(0, 3, (K, D))
ROOTS = RNG.normal(size=(K, D, D))
COVARIANCE = ROOTS @ np.swapaxes(ROOTS, 1, 2) + 0.1 * np.eye(D)
SPHERICAL, DIAGONAL = RNG.gamma(2, 1, K), RNG.gamma(2, 1, (K, D))
X = RNG.normal(0, 5, (6, D))
FAR = X * 1e4

FORMS = {
    "spherical": (
        gaussian_mixture(WEIGHTS, MU, SPHERICAL),
        SPHERICAL[:, None, None] ** 2 * np.eye(D),
    ),
    "diagonal": (gaussian_mixture(WEIGHTS, MU, DIAGONAL), DIAGONAL[:, :, None] ** 2 * np.eye(D)),
    "full": (gaussian_mixture(WEIGHTS, MU, covariance=COVARIANCE), COVARIANCE),
    "common": (gaussian_mixture(WEIGHTS, MU, 1.5), np.stack([2.25 * np.eye(D)] * K)),
}
each_form = pytest.mark.parametrize(("target", "covariance"), FORMS.values(), ids=FORMS)


@each_form
@pytest.mark.parametrize("x", [X, FAR], ids=["near", "far"])
def test_densities_and_scores_are_those_of_normal_distributions(
    target: Mixture, covariance: np.ndarray, x: np.ndarray
) -> None:
    terms = np.log(WEIGHTS) + np.stack(
        [stats.multivariate_normal(m, c).logpdf(x) for m, c in zip(MU, covariance, strict=True)], -1
    )
    np.testing.assert_allclose(target.log_prob(x), logsumexp(terms, axis=-1), rtol=1e-11)
    pulls = [np.linalg.solve(c, (m - x).T).T for m, c in zip(MU, covariance, strict=True)]
    score = np.sum(softmax(terms, axis=-1)[..., None] * np.stack(pulls, 1), axis=1)
    np.testing.assert_allclose(target.score(x), score, rtol=1e-7)


@each_form
def test_moments_add_what_is_between_components(target: Mixture, covariance: np.ndarray) -> None:
    mean = WEIGHTS @ MU
    off = MU - mean
    total = np.einsum("k,kij->ij", WEIGHTS, covariance) + (WEIGHTS[:, None] * off).T @ off
    np.testing.assert_allclose(target.mean(), mean)
    np.testing.assert_allclose(target.covariance(), total, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(target.variance(), np.diagonal(total))


@each_form
def test_marginals_are_those_of_normal_distributions(
    target: Mixture, covariance: np.ndarray
) -> None:
    some = [0, 2, 3]
    expected = gaussian_mixture(WEIGHTS, MU[:, some], covariance=covariance[:, some][:, :, some])
    np.testing.assert_allclose(
        target.marginal(some).log_prob(X[:, some]), expected.log_prob(X[:, some])
    )
    sigma = np.sqrt(covariance[:, 1, 1])
    density = stats.norm.pdf(X[:, [1]], MU[:, 1], sigma) @ WEIGHTS
    np.testing.assert_allclose(np.exp(target.marginal(1).log_prob(X[:, 1])), density)
    assert target.marginal([1]).event_shape == (1,)
    np.testing.assert_allclose(np.exp(target.marginal([1]).log_prob(X[:, [1]])), density)


@each_form
def test_draws_have_the_covariance(target: Mixture, covariance: np.ndarray) -> None:
    values = target.sample(100_000, seed=3).values
    spread = np.sqrt(np.diagonal(target.covariance()))
    np.testing.assert_allclose(values.mean(axis=0), target.mean(), atol=0.02 * spread.max())
    error = np.abs(np.cov(values.T) - target.covariance()) / np.outer(spread, spread)
    assert error.max() < 0.02


def test_numbers_have_gaussian_mixtures_too() -> None:
    target = gaussian_mixture([0.5, 0.5], [-1.0, 2.0], [1.0, 0.5])
    density = 0.5 * stats.norm.pdf(0.3, -1, 1) + 0.5 * stats.norm.pdf(0.3, 2, 0.5)
    assert target.log_prob(0.3) == pytest.approx(np.log(density))
    assert gaussian_mixture([0.5, 0.5], [-1.0, 2.0], 1).quantile(0.5) == pytest.approx(0.5)


def test_the_forty_components_are_the_published_ones() -> None:
    target = gmm40()
    # As others print what torch drew.
    published = {
        0: [-0.2995, 21.4577],
        1: [-32.9218, -29.4376],
        2: [-15.4062, 10.7263],
        13: [36.2190, -37.1068],
        25: [25.5824, 39.7653],
        30: [18.0989, 16.0864],
    }
    assert target.K == 40
    for k, mean in published.items():
        np.testing.assert_allclose(target.components[k].mean(), mean, atol=6e-5)
    np.testing.assert_allclose(target.weights, 1 / 40)
    np.testing.assert_allclose(target.components[0].covariance(), np.log1p(np.e) ** 2 * np.eye(2))
    assert gmm40(5).event_shape == (5,)
    means = np.stack([c.mean() for c in gmm40(50, seed=3).components])
    assert (np.abs(means) <= 40).all()
    assert stats.kstest(means.ravel(), stats.uniform(-40, 80).cdf).pvalue > 0.001


def test_uniform_means_fill_their_box() -> None:
    target = uniform_means(K=400, columns=3, reach=5, sigma=0.2, seed=1)
    means = np.stack([c.mean() for c in target.components])
    assert (np.abs(means) <= 5).all()
    assert stats.kstest(means.ravel(), stats.uniform(-5, 10).cdf).pvalue > 0.001
    np.testing.assert_allclose(target.components[0].covariance(), 0.04 * np.eye(3))
    other = uniform_means(K=400, columns=3, reach=5, sigma=0.2, seed=2)
    assert not np.allclose(other.components[0].mean(), means[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either `sigma` or `covariance`"),
        ({"sigma": 1, "covariance": COVARIANCE}, "either `sigma` or `covariance`"),
        ({"sigma": [1, 2]}, "different numbers of components"),
        ({"sigma": -1}, "must be above 0"),
        ({"sigma": DIAGONAL[:, :2]}, "differ in length"),
        ({"sigma": "wide"}, "array of numbers"),
        ({"covariance": COVARIANCE[:2]}, r"shape \(K, D, D\)"),
        ({"covariance": -COVARIANCE}, "variances above 0"),
        ({"covariance": np.full((K, D, D), np.nan)}, "variances above 0"),
        ({"covariance": np.ones((K, D, D))}, "next to singular"),
        ({"covariance": "wide"}, "numbers"),
    ],
)
def test_scales_that_are_none_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        gaussian_mixture(WEIGHTS, MU, **given)  # type: ignore[arg-type]


def test_targets_refuse_what_makes_none() -> None:
    for call in (
        lambda: gmm40(0),
        lambda: gmm40(seed=-1),
        lambda: gmm40(seed=2**32),
        lambda: uniform_means(K=0),
        lambda: uniform_means(columns=1.5),  # type: ignore[arg-type]
        lambda: uniform_means(reach=-1),
        lambda: uniform_means(reach=float("nan")),
        lambda: uniform_means(sigma=0),
        lambda: uniform_means(seed=None),  # type: ignore[arg-type]
        lambda: gaussian_mixture(WEIGHTS, "far", 1.0),
        lambda: gaussian_mixture(WEIGHTS, 1.0, 1.0),
        lambda: gaussian_mixture(WEIGHTS, [[1], [2, 3], [4]], 1.0),
    ):
        with pytest.raises(sm.SpecError):
            call()


def test_the_reach_of_means_is_a_number_of_any_kind() -> None:
    for reach in (np.int64(3), np.float32(3)):
        means = [one.mean() for one in uniform_means(K=5, reach=reach).components]
        np.testing.assert_array_equal(
            means, [c.mean() for c in uniform_means(K=5, reach=3).components]
        )
