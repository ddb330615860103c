from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import stanmix as sm
from stanmix.judging.mmd import _unbiased, gaussian

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Widths of the kernels, by the median distance."""


def test_the_estimate_is_that_of_its_definition() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 2)) + 1
    points = np.concatenate([x, y])
    every = [np.sum((p - q) ** 2) for i, p in enumerate(points) for q in points[i + 1 :]]
    scale = np.median(every)

    def kernel(p: np.ndarray, q: np.ndarray) -> float:
        return float(np.mean([np.exp(-np.sum((p - q) ** 2) / (2 * w**2 * scale)) for w in WIDTHS]))

    within = [
        sum(kernel(p, q) for i, p in enumerate(z) for j, q in enumerate(z) if i != j) / (12 * 11)
        for z in (x, y)
    ]
    across = np.mean([[kernel(p, q) for q in y] for p in x])
    expected = within[0] + within[1] - 2 * across
    found = _unbiased(gaussian(points), np.repeat([1.0, 0.0], 12)[:, None])
    np.testing.assert_allclose(found, [expected], rtol=1e-12)


def test_the_estimate_is_that_of_normal_distributions_in_closed_form() -> None:
    # E k(X, Y) of a Gaussian kernel of squared width s and normal X - Y is a normal density.
    rng = np.random.default_rng(2)
    n, shift = 2000, 0.8
    a, b = rng.normal(size=n), rng.normal(size=n) + shift
    points = np.concatenate([a, b])[:, None]
    squared = (points - points.T) ** 2
    median = np.median(squared[np.triu_indices(2 * n, 1)])

    def expected_kernel(mean: float) -> float:
        return float(
            np.mean(
                [
                    np.sqrt(2 * np.pi * w**2 * median)
                    * stats.norm.pdf(mean, 0, np.sqrt(w**2 * median + 2))
                    for w in WIDTHS
                ]
            )
        )

    exact = 2 * expected_kernel(0.0) - 2 * expected_kernel(shift)
    found = float(_unbiased(gaussian(points), np.repeat([1.0, 0.0], n)[:, None])[0])
    # Its standard error, by the mean difference of kernels at each draw of both.
    kernel = gaussian(points)
    witness = (kernel[:, :n].sum(axis=1) - kernel[:, n:].sum(axis=1)) / n
    error = 2 * np.sqrt(witness[:n].var() / n + witness[n:].var() / n)
    assert abs(found - exact) < 4 * error


def test_the_p_value_has_its_size_and_estimates_have_no_bias() -> None:
    rejected, statistics = 0, []
    for seed in range(60):
        a, b = np.random.default_rng(seed).normal(size=(2, 60, 2))
        found = sm.mmd({"x": a}, {"x": b}, seed=seed)
        rejected += found.p_value <= 0.1
        statistics.append(found.statistic)
    # The central 99.9 % of a binomial count of 60 at 0.1.
    assert stats.binom.ppf(0.0005, 60, 0.1) <= rejected <= stats.binom.ppf(0.9995, 60, 0.1)
    assert abs(np.mean(statistics)) < 4 * np.std(statistics) / np.sqrt(60)
    assert min(statistics) < 0


def test_distributions_that_differ_are_told_apart() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 400, 3))
    b[:, 1] = 0.8 * b[:, 0] + 0.6 * b[:, 1]
    found = sm.mmd({"x": a}, {"x": b})
    assert found.p_value < 0.01 and found.statistic > 0
    assert "1000 permutations" in repr(found)


def test_fewer_permutations_are_refused() -> None:
    with pytest.raises(sm.SpecError, match="`permutations` must be a whole number from 1000 on"):
        sm.mmd({"x": np.arange(99.0)}, {"x": np.arange(99.0)}, permutations=99)


def test_distances_are_those_of_known_distributions() -> None:
    n = 4000
    # Evenly spread quantiles, in a random order.
    order = np.random.default_rng(4).permutation(n)
    z = stats.norm.ppf((np.arange(n) + 0.5) / n)[order]
    other = np.random.default_rng(5).permutation(n)
    same, moved, wide = z[other], z[other] + 0.5, 2 * z[other]
    table = sm.distances(
        {"x": np.column_stack([z, z, z])}, {"x": np.column_stack([same, moved, wide])}
    )
    assert list(table.index) == ["x[2]", "x[3]", "x[1]"]
    np.testing.assert_allclose(table.loc["x[2]", "shift"], 0.5, atol=1e-3)
    np.testing.assert_allclose(table.loc["x[2]", "wasserstein"], 0.5, atol=1e-3)
    np.testing.assert_allclose(table.loc["x[2]", "ks"], 2 * stats.norm.cdf(0.25) - 1, atol=1e-3)
    np.testing.assert_allclose(table.loc["x[3]", "sd_ratio"], 2, atol=1e-9)
    # The mean of |z| is what a doubled scale moves.
    np.testing.assert_allclose(table.loc["x[3]", "wasserstein"], np.sqrt(2 / np.pi), atol=2e-3)
    np.testing.assert_allclose(table.loc["x[1]", ["shift", "ks", "energy"]], 0, atol=1e-6)


def test_draws_of_few_values_and_of_huge_ones_are_compared_or_refused() -> None:
    rng = np.random.default_rng(6)
    same = [sm.mmd(*({"x": rng.random(200) < 0.1} for _ in "ab")).p_value for _ in range(20)]
    assert min(same) > 0.002 and max(same) > 0.2
    assert sm.mmd({"x": rng.random(200) < 0.1}, {"x": rng.random(200) < 0.6}).p_value < 0.01
    for size in (1e200, 1e-200):
        huge = [{"x": size * rng.normal(size=100)} for _ in "ab"]
        with pytest.raises(sm.DataError, match="`x` is too large or too small"):
            sm.distances(*huge)


def test_of_covariances_one_half_and_the_variances_are_compared() -> None:
    rng = np.random.default_rng(7)

    def covariances(scale: float) -> dict[str, np.ndarray]:
        factor = scale * np.eye(2) + 0.1 * rng.normal(size=(300, 2, 2))
        return {"Sigma": factor @ np.swapaxes(factor, 1, 2)}

    a, b = covariances(1.0), covariances(2.0)
    assert set(sm.distances(a, b).index) == {"Sigma[1, 1]", "Sigma[1, 2]", "Sigma[2, 2]"}
    found = sm.mmd(a, b)
    assert found.p_value < 0.01 and "without `Sigma[2, 1]`, which follows" in repr(found)
    # One column has one variance.
    assert list(sm.distances(*({"S": x["Sigma"][:, :1, :1]} for x in (a, b))).index) == ["S[1, 1]"]


def test_numbers_that_sum_to_one_by_chance_are_all_compared() -> None:
    rng = np.random.default_rng(8)
    about = {"mu": [0.3, 0.7] + 1e-4 * rng.normal(size=(400, 2))}
    other = {"mu": [0.3, 0.7003] + 1e-4 * rng.normal(size=(400, 2))}
    table = sm.distances(about, other)
    assert table.index[0] == "mu[2]" and table["p_value"].iloc[0] < 1e-6
    # Probabilities with four digits are probabilities.
    rounded, exact = (rng.dirichlet([3, 3, 3], 400) for _ in "ab")
    table = sm.distances({"w": rounded.round(4)}, {"w": exact})
    assert set(table.index) == {"w[1]", "w[2]"}
