"""Hidden Markov models at known parameters, against all paths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import stanmix as sm
from stanmix.distributions import HiddenMarkov, component, components

INITIAL = np.array([0.2, 0.5, 0.3])
MOVES = np.array([[0.7, 0.2, 0.1], [0.0, 0.6, 0.4], [0.5, 0.25, 0.25]])
RATES = np.array([1.0, 4.0, 9.0])
COUNTS = HiddenMarkov(INITIAL, MOVES, components("poisson", rate=RATES))
PLANE = HiddenMarkov(
    INITIAL,
    MOVES,
    [
        component("normal", mu=k, sigma=1) & component("poisson", rate=r)
        for k, r in enumerate(RATES)
    ],
)


def enumerated(mass: np.ndarray) -> tuple[float, np.ndarray]:
    """Density of a series, and probabilities of states given all of it, from (step, state)."""
    joint = np.zeros((len(mass), 3))
    for path in itertools.product(range(3), repeat=len(mass)):
        term = INITIAL[path[0]] * mass[0, path[0]]
        for t in range(1, len(mass)):
            term *= MOVES[path[t - 1], path[t]] * mass[t, path[t]]
        for t, k in enumerate(path):
            joint[t, k] += term
    return float(joint[0].sum()), joint / joint[0].sum()


@pytest.mark.parametrize("steps", [1, 2, 6])
def test_densities_and_states_are_those_of_all_paths(steps: int) -> None:
    y = np.random.default_rng(1).poisson(4, (2, 2, steps))
    found = COUNTS.log_prob(y)
    assert found.shape == (2, 2)
    for place in np.ndindex(2, 2):
        mass = stats.poisson.pmf(y[place][:, None], RATES)
        density, smoothing = enumerated(mass)
        assert found[place] == pytest.approx(np.log(density))
        assert COUNTS.log_prob(y[place]) == pytest.approx(np.log(density))
        np.testing.assert_allclose(COUNTS.smoothing(y)[place], smoothing)
        np.testing.assert_allclose(COUNTS.filtering(y)[place][-1], smoothing[-1])


def test_rows_may_have_several_columns() -> None:
    y = np.array([[0.3, 2.0], [1.5, 3.0], [2.2, 11.0]])
    mass = stats.norm.pdf(y[:, [0]], [0, 1, 2]) * stats.poisson.pmf(y[:, [1]], RATES)
    assert PLANE.log_prob(y) == pytest.approx(np.log(enumerated(mass)[0]))
    np.testing.assert_allclose(np.exp(PLANE.log_omega(y)), mass)


def test_a_series_that_is_not_possible_has_no_density() -> None:
    one_way = HiddenMarkov([1, 0], [[1, 0], [0, 1]], components("uniform", low=[0, 5], high=[1, 6]))
    assert one_way.log_prob([[0.5, 5.5], [0.5, 0.6]]).tolist() == [-np.inf, 0.0]
    assert np.isnan(one_way.smoothing([0.5, 5.5])).all()


def test_a_long_series_neither_under_nor_overflows() -> None:
    y = COUNTS.sample(1, 20_000, seed=1).values
    assert np.isfinite(COUNTS.log_prob(y)).all()
    assert COUNTS.log_prob(np.full(5, 10_000)) < -1e5


def test_the_stationary_distribution_is_where_powers_of_moves_lead() -> None:
    far = np.linalg.matrix_power(MOVES, 200)[0]
    long_run = COUNTS.stationary()
    np.testing.assert_allclose(long_run.weights, far)
    assert long_run.mean() == pytest.approx(far @ RATES)
    assert long_run.variance() == pytest.approx(far @ (RATES + RATES**2) - (far @ RATES) ** 2)
    again = HiddenMarkov("stationary", MOVES, COUNTS.components)
    np.testing.assert_allclose(again.initial, far)
    np.testing.assert_allclose(HiddenMarkov("uniform", MOVES, COUNTS.components).initial, 1 / 3)


@pytest.mark.parametrize("drawn", [COUNTS.sample(4000, 5, seed=2), COUNTS.dataset(4000, 5, seed=2)])
def test_draws_start_move_and_are_emitted_as_they_should(drawn: sm.distributions.Sample) -> None:
    states = drawn.states - 1
    first = np.bincount(states[:, 0], minlength=3)
    assert stats.chisquare(first, 4000 * INITIAL).pvalue > 0.001
    for k in range(3):
        left = states[:, :-1] == k
        counts = np.bincount(states[:, 1:][left], minlength=3)
        possible = MOVES[k] > 0
        assert counts[~possible].sum() == 0
        expected = left.sum() * MOVES[k][possible]
        assert stats.chisquare(counts[possible], expected).pvalue > 0.001
        own = drawn.values[states == k]
        assert abs(own.mean() - RATES[k]) < 4 * np.sqrt(RATES[k] / own.size)


def test_moves_go_on_where_blocks_of_steps_meet() -> None:
    sticky = HiddenMarkov([0.5, 0.5], np.eye(2), components("normal", mu=[0, 50], sigma=1))
    drawn = sticky.dataset(200, 200)
    assert (drawn.states == drawn.states[:, :1]).all()
    assert ((drawn.values > 25) == (drawn.states == 2)).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"initial": [0.5, 0.5]}, r"`initial` must have shape \(3,\), not \(2,\)"),
        ({"initial": [0.5, 0.5, 0.5]}, "`initial` must sum to 1, and sum to 1.5"),
        ({"initial": "first"}, "`initial` is one of `uniform`, `stationary`"),
        ({"initial": [np.nan, 0.5, 0.5]}, "negative, above 1 or NaN"),
        ({"transition": MOVES[:2]}, r"`transition` must have shape \(3, 3\)"),
        ({"transition": MOVES.T}, "`transition` must sum to 1"),
        ({"transition": -MOVES}, "negative"),
        ({"transition": "sticky"}, "must be numbers"),
        ({"initial": "stationary", "transition": np.eye(3)}, "no stationary distribution"),
        ({"components": []}, "there are none"),
        ({"components": "poisson"}, "`components` holds what `component` makes"),
    ],
)
def test_what_is_no_model_is_refused(changed: dict[str, object], message: str) -> None:
    given = {"initial": INITIAL, "transition": MOVES, "components": COUNTS.components}
    with pytest.raises(sm.SpecError, match=message):
        HiddenMarkov(**{**given, **changed})


def test_what_is_no_series_is_refused() -> None:
    for y in (3, [], np.zeros((2, 0)), [1, np.nan], [1, np.inf], "abc", None):
        with pytest.raises(sm.DataError):
            COUNTS.log_prob(y)
    for y in ([1, 2], np.zeros((4, 3)), np.zeros(2)):
        with pytest.raises(sm.DataError):
            PLANE.log_prob(y)
    with pytest.raises(sm.SpecError, match="no stationary distribution"):
        HiddenMarkov([1, 0], np.eye(2), components("poisson", rate=[1, 2])).stationary()
