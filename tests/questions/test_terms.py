"""Densities of what is left out, at known parameters, against adding up all paths by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import stanmix as sm
from stanmix.questions.asking import ask
from stanmix.questions.terms import LeftOut, leave_out
from tests.questions.conftest import QUICK, by_hand

pytestmark = pytest.mark.engine

DRAWS = [(0, 3), (1, 88)]


def density(first: Any, moves: Any, mass: Any) -> float:
    """The density of a series, by adding up all paths."""
    n, K = mass.shape
    total = 0.0
    for path in itertools.product(range(K), repeat=n):
        p = first[path[0]] * mass[0, path[0]]
        for t in range(1, n):
            p *= moves[t][path[t - 1], path[t]] * mass[t, path[t]]
        total += p
    return total


def left(fit: sm.Fit, kind: str) -> LeftOut:
    return leave_out(ask(fit, draws=None), kind)


@pytest.mark.parametrize("draw", DRAWS)
def test_terms_of_a_chain_are_ratios_of_densities_of_all_paths(
    chain: sm.Fit, draw: tuple[int, int]
) -> None:
    series, rows, future = (
        left(chain, kind).log_densities()[draw] for kind in ("series", "observation", "future")
    )
    for s, (where, first, moves, mass) in enumerate(by_hand(chain, draw)):
        whole = density(first, moves, mass)
        assert series[s] == pytest.approx(np.log(whole), rel=1e-9)
        for t, row in enumerate(where):
            without = mass.copy()
            without[t] = 1
            expected = np.log(whole / density(first, moves, without))
            assert rows[row] == pytest.approx(expected, rel=1e-8)
            so_far = density(first, moves, mass[: t + 1])
            before = density(first, moves, mass[:t]) if t else 1.0
            assert future[row] == pytest.approx(np.log(so_far / before), rel=1e-8)


def test_one_step_terms_add_up_to_the_series_and_are_not_those_of_leaving_a_row_out(
    chain: sm.Fit,
) -> None:
    series, rows, future = (
        left(chain, kind).log_densities() for kind in ("series", "observation", "future")
    )
    np.testing.assert_allclose(future.sum(axis=-1), series.sum(axis=-1))
    assert abs(rows.sum(axis=-1) - series.sum(axis=-1)).max() > 0.5


def test_a_row_of_a_series_left_out_with_others_is_predicted_without_them(chain: sm.Fit) -> None:
    unseen = np.zeros(15, dtype=bool)
    unseen[[1, 3, 4, 7]] = True
    block = next(ask(chain, draws=None).blocks())
    got = left(chain, "observation").log_terms(block, unseen)[3]
    for where, first, moves, mass in by_hand(chain, (0, 3)):
        known = mass.copy()
        known[unseen[where]] = 1
        for t, row in enumerate(where):
            apart, there = known.copy(), known.copy()
            apart[t], there[t] = 1, mass[t]
            expected = np.log(density(first, moves, there) / density(first, moves, apart))
            assert got[row] == pytest.approx(expected, rel=1e-8)


@pytest.fixture(scope="module")
def units() -> sm.Fit:
    rng = np.random.default_rng(2)
    ids = np.tile(["c", "a", "b", "d", "e"], 3)
    y = rng.normal(np.tile([-2, 2, -2, 2, 0], 3), 1)
    data = {"y": y, "who": ids, "n": rng.integers(1, 4, 15)}
    return sm.fit("y | unit(who) + freq(n) ~ mix(normal(sigma=1), K=2)", data, **QUICK)


@pytest.mark.parametrize("draw", DRAWS)
def test_terms_of_units_leave_out_all_their_rows_and_terms_of_rows_one_copy(
    units: sm.Fit, draw: tuple[int, int]
) -> None:
    whole, rows = left(units, "unit"), left(units, "observation")
    by_unit, by_row = whole.log_densities()[draw], rows.log_densities()[draw]
    posterior = units.draws["posterior"].to_dataset().isel(chain=draw[0], draw=draw[1])
    data = pd.DataFrame(dict(units.model.table.columns))
    log_weights = np.log(posterior["weights"].values)
    each = stats.norm(posterior["mu"].values, 1).logpdf(data["y"].to_numpy()[:, None])
    for u, who in enumerate(["c", "a", "b", "d", "e"]):
        own = np.flatnonzero(data["who"] == who)
        joint = log_weights + (data["n"].to_numpy()[own, None] * each[own]).sum(axis=0)
        assert by_unit[u] == pytest.approx(logsumexp(joint), rel=1e-10)
        for row in own:
            expected = logsumexp(joint) - logsumexp(joint - each[row])
            assert by_row[row] == pytest.approx(expected, rel=1e-9)
    assert whole.counts.tolist() == [1] * 5
    np.testing.assert_array_equal(rows.counts, data["n"])


def test_the_response_of_a_row_with_a_label_is_predicted_given_the_label() -> None:
    data = {"y": [-3.0, -1.0, 0.5, 1.0, 3.0, 2.0], "z": [1, None, 2, None, None, "1|2"]}
    fit = sm.fit("y | known(z) ~ mix(normal(sigma=1), K=2)", data, **QUICK)
    got = left(fit, "observation").log_densities()[0, 0]
    posterior = fit.draws["posterior"].to_dataset().isel(chain=0, draw=0)
    mu, weights = posterior["mu"].values, posterior["weights"].values
    each = stats.norm(mu, 1).pdf(np.array(data["y"])[:, None])
    expected = each @ weights
    expected[0], expected[2] = each[0, 0], each[2, 1]
    np.testing.assert_allclose(got, np.log(expected))


def test_rows_without_a_response_are_no_observations() -> None:
    y = [0.0, np.nan, 4.0, 0.3, -0.2, 4.3, 3.8]
    fit = sm.fit("y ~ mix(normal(sigma=1), K=2)", {"y": y}, **QUICK)
    assert left(fit, "observation").seen.tolist() == [True, False, *[True] * 5]
    assert fit.kfold(k=2).terms.index.tolist() == [0, 2, 3, 4, 5, 6]


def test_a_component_that_cannot_produce_a_row_leaves_the_others() -> None:
    """Of a unit with a row that one component excludes: with and without that row."""
    data = {"y": [-0.5, 0.3, 0.8, 0.4, 3.0, 3.5], "u": [1, 1, 2, 2, 3, 3]}
    formula = "y | unit(u) ~ mix(normal(sigma=1) + uniform(low=0, high=1))"
    fit = sm.fit(formula, data, **QUICK)
    got = left(fit, "observation").log_densities()[0, 0]
    posterior = fit.draws["posterior"].to_dataset().isel(chain=0, draw=0)
    w = posterior["weights"].values
    mu = float(posterior["mu_1"])
    n = stats.norm(mu, 1).pdf(np.array(data["y"]))
    u = stats.uniform(0, 1).pdf(np.array(data["y"]))
    joint = w[0] * n[0] * n[1] + w[1] * u[0] * u[1]
    assert got[0] == pytest.approx(np.log(joint / (w[0] * n[1] + w[1] * u[1])))
    assert got[1] == pytest.approx(np.log(joint / (w[0] * n[0] + w[1] * u[0])))
    assert np.isfinite(got).all()
