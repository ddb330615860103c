"""The latent algebra against the enumeration of all K^T paths, and against its own promises.

The enumeration scores whole paths, one by one, and sums over those that fit the question. It shares
nothing with the recursions it judges, neither their order of summation nor their scaling.
"""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from stanmix import latent

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

INF = math.inf

enumerated = settings(deadline=None, derandomize=True, max_examples=30)


@pytest.fixture(autouse=True, scope="module")
def numpy_raises() -> Iterator[None]:
    """Turn numpy's warnings into errors: none may leak out of the algebra."""
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        yield


# The enumeration


@dataclass(frozen=True)
class Chain:
    """The arguments of an HMM, without draws."""

    log_omega: Array
    initial: Array
    transition: Array
    starts: tuple[int, ...] = (0,)

    @property
    def arguments(self) -> tuple[Array, Array, Array, tuple[int, ...]]:
        return self.log_omega, self.initial, self.transition, self.starts

    @property
    def n_states(self) -> int:
        return len(self.initial)

    @property
    def n_rows(self) -> int:
        return len(self.log_omega)

    @property
    def series(self) -> list[Chain]:
        """Every series as a chain of its own."""
        bounds = itertools.pairwise([*self.starts, self.n_rows])
        return [self.rows(start, stop) for start, stop in bounds]

    def rows(self, start: int, stop: int) -> Chain:
        varying = self.transition.ndim == 3
        return Chain(
            self.log_omega[start:stop],
            self.initial,
            self.transition[start:stop] if varying else self.transition,
        )

    def without(self, row: int) -> Chain:
        """Nothing observed at a row: every state gives it density one."""
        log_omega = self.log_omega.copy()
        log_omega[row] = 0.0
        return replace(self, log_omega=log_omega)

    def into(self, row: int) -> Array:
        return self.transition[row] if self.transition.ndim == 3 else self.transition


def log(values: Array | float) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(values, dtype=np.float64))


def log_sum(scores: Array) -> float:
    """Log of the sum of exp; -inf for no scores at all."""
    highest = max(scores, default=-INF)
    if highest == -INF:
        return -INF
    with np.errstate(under="ignore"):
        return float(highest + math.log(math.fsum(np.exp(np.asarray(scores) - highest))))


def enumerate_paths(chain: Chain) -> tuple[Integers, Array]:
    """Every path of one series, and its log joint density with the rows."""
    paths = np.array(list(itertools.product(range(chain.n_states), repeat=chain.n_rows)))
    scores = log(chain.initial)[paths[:, 0]]
    for t in range(chain.n_rows):
        scores = scores + chain.log_omega[t, paths[:, t]]
    for t in range(1, chain.n_rows):
        scores = scores + log(chain.into(t))[paths[:, t - 1], paths[:, t]]
    return paths, scores


def enumerate_density(chain: Chain) -> float:
    return log_sum(enumerate_paths(chain)[1])


def enumerate_states(chain: Chain, row: int) -> Array:
    """State probabilities at one row of one series, given all its rows; NaN if impossible."""
    paths, scores = enumerate_paths(chain)
    total = log_sum(scores)
    if total == -INF:
        return np.full(chain.n_states, np.nan)
    return np.array(
        [math.exp(log_sum(scores[paths[:, row] == k]) - total) for k in range(chain.n_states)]
    )


def enumerate_leave_one_out(chain: Chain, row: int) -> float:
    others = enumerate_density(chain.without(row))
    return math.nan if others == -INF else enumerate_density(chain) - others


def assert_same(actual: Array, expected: ArrayLike) -> None:
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=1e-9, atol=1e-11)


# Chains to try

log_densities = st.one_of(st.floats(-8, 4), st.floats(-8, 4), st.just(-INF), st.floats(-2000, 700))
plain_masses = st.integers(0, 5).map(float)
masses = st.one_of(plain_masses, st.just(1e-300))


@st.composite
def probabilities(
    draw: st.DrawFn, n_states: int, masses: st.SearchStrategy[float] = masses
) -> list[float]:
    """Draw a distribution that often has zeros, and now and then a tiny entry."""
    row = draw(st.lists(masses, min_size=n_states, max_size=n_states).filter(any))
    return [mass / sum(row) for mass in row]


@st.composite
def chains(draw: st.DrawFn, min_states: int = 1) -> Chain:
    """Up to 3 states and 6 rows, in one or more series, with a transition of either kind."""
    n_states = draw(st.integers(min_states, 3))
    n_rows = draw(st.integers(1, 6))
    log_omega = [[draw(log_densities) for _ in range(n_states)] for _ in range(n_rows)]
    matrix = st.lists(probabilities(n_states), min_size=n_states, max_size=n_states)
    varying = draw(st.booleans())
    transition = np.array([draw(matrix) for _ in range(n_rows)] if varying else draw(matrix))
    later = draw(st.sets(st.integers(1, n_rows - 1))) if n_rows > 1 else set()
    starts = (0, *sorted(later))
    if varying:
        transition[list(starts)] = np.nan  # never read
    initial = np.array(draw(probabilities(n_states)))
    return Chain(np.array(log_omega), initial, transition, starts)


def random_chain(seed: int, n_rows: int, n_states: int, draws: tuple[int, ...] = ()) -> Chain:
    rng = np.random.default_rng(seed)
    return Chain(
        log_omega=rng.normal(size=(*draws, n_rows, n_states), scale=2.0),
        initial=rng.dirichlet(np.ones(n_states), size=draws or None),
        transition=rng.dirichlet(np.ones(n_states), size=(*draws, n_states)),
    )


# Mixtures


def test_responsibility_and_density_follow_bayes_rule() -> None:
    log_omega = np.log([[0.2, 0.8], [0.5, 0.25]])
    weights = np.array([0.75, 0.25])
    joint = np.array([[0.15, 0.2], [0.375, 0.0625]])
    assert_same(latent.responsibility(log_omega, weights), joint / joint.sum(axis=1, keepdims=True))
    assert_same(latent.mixture_log_density(log_omega, weights), np.log(joint.sum(axis=1)))


@enumerated
@given(chains())
def test_a_mixture_is_an_hmm_whose_every_row_is_a_series(chain: Chain) -> None:
    starts = np.arange(chain.n_rows)
    arguments = (chain.log_omega, chain.initial, np.eye(chain.n_states), starts)
    assert_same(latent.responsibility(chain.log_omega, chain.initial), latent.smoothing(*arguments))
    assert_same(
        latent.mixture_log_density(chain.log_omega, chain.initial),
        latent.log_likelihood(*arguments),
    )


def test_a_row_no_component_can_produce_has_density_zero_and_no_responsibility() -> None:
    log_omega = np.array([[-INF, 0.0], [0.0, -INF], [-INF, -INF]])
    weights = np.array([1.0, 0.0])
    np.testing.assert_array_equal(latent.mixture_log_density(log_omega, weights), [-INF, 0.0, -INF])
    np.testing.assert_array_equal(
        latent.responsibility(log_omega, weights), [[np.nan, np.nan], [1, 0], [np.nan, np.nan]]
    )


def test_responsibility_survives_weights_and_densities_far_below_the_smallest_float() -> None:
    log_omega = np.array([[-5000.0, -5000.0 + 300 * math.log(10)]])
    weights = np.array([1.0, 1e-300])
    assert_same(latent.responsibility(log_omega, weights), [[0.5, 0.5]])
    assert_same(latent.mixture_log_density(log_omega, weights), [-5000.0 + math.log(2)])


# HMMs: the enumeration of all paths


@enumerated
@given(chains())
def test_log_likelihood_equals_the_enumeration_of_all_paths(chain: Chain) -> None:
    expected = [enumerate_density(one) for one in chain.series]
    assert_same(latent.log_likelihood(*chain.arguments), expected)


@enumerated
@given(chains())
def test_filtering_equals_the_enumeration_of_the_paths_so_far(chain: Chain) -> None:
    expected = [
        enumerate_states(one.rows(0, t + 1), t) for one in chain.series for t in range(one.n_rows)
    ]
    assert_same(latent.filtering(*chain.arguments), expected)
    assert_same(latent.forward(*chain.arguments).filtering, expected)


@enumerated
@given(chains())
def test_predicted_equals_the_enumeration_with_the_row_itself_unseen(chain: Chain) -> None:
    expected = [
        enumerate_states(one.rows(0, t + 1).without(t), t)
        for one in chain.series
        for t in range(one.n_rows)
    ]
    assert_same(latent.forward(*chain.arguments).predicted, expected)


@enumerated
@given(chains())
def test_increments_are_the_differences_of_enumerated_densities(chain: Chain) -> None:
    expected = []
    for one in chain.series:
        so_far = [enumerate_density(one.rows(0, t + 1)) for t in range(one.n_rows)]
        for before, now in itertools.pairwise([0.0, *so_far]):
            expected.append(now - before if now > -INF else -INF)
    assert_same(latent.forward(*chain.arguments).log_increment, expected)


@enumerated
@given(chains())
def test_backward_equals_the_enumeration_of_the_paths_ahead(chain: Chain) -> None:
    log_backward = latent.backward(chain.log_omega, chain.transition, chain.starts)
    expected = []
    for one in chain.series:
        for t in range(one.n_rows):
            ahead = one.rows(t, one.n_rows).without(0)
            each = [
                enumerate_density(replace(ahead, initial=state)) for state in np.eye(one.n_states)
            ]
            highest = max(each)
            expected.append([b - highest if b > -INF else -INF for b in each])
    np.testing.assert_allclose(log_backward, expected, rtol=1e-9, atol=1e-9)


@enumerated
@given(chains())
def test_smoothing_equals_the_enumeration_of_all_paths(chain: Chain) -> None:
    expected = [enumerate_states(one, t) for one in chain.series for t in range(one.n_rows)]
    assert_same(latent.smoothing(*chain.arguments), expected)


@enumerated
@given(chains())
def test_backward_filtering_equals_the_enumeration_with_the_rows_before_unseen(
    chain: Chain,
) -> None:
    expected = []
    for one in chain.series:
        for t in range(one.n_rows):
            expected.append(enumerate_states(one, t))
            one = one.without(t)
    assert_same(latent.backward_filtering(*chain.arguments), expected)


@enumerated
@given(chains())
def test_path_entropy_is_that_of_all_enumerated_paths(chain: Chain) -> None:
    expected = []
    for one in chain.series:
        _, scores = enumerate_paths(one)
        total = log_sum(scores)
        possible = scores[scores > -INF] - total
        expected.append(math.nan if total == -INF else -math.fsum(np.exp(possible) * possible))
    assert_same(latent.path_entropy(*chain.arguments), expected)


def test_entropy_is_0_of_what_is_certain_and_log_k_of_what_is_not_known() -> None:
    assert_same(latent.entropy([[0.0, 1.0, 0.0], [1 / 3] * 3]), [0.0, math.log(3)])
    assert np.isnan(latent.entropy([np.nan, np.nan]))
    with pytest.raises(ValueError, match="negative"):
        latent.entropy([1.5, -0.5])


def test_components_are_sampled_as_often_as_they_are_responsible() -> None:
    n = 200_000
    log_omega = np.broadcast_to(np.log([[0.2, 0.8], [1.0, 0.0 + 1e-300]]), (n, 2, 2))
    drawn = latent.sample_components(np.random.default_rng(1), log_omega, [0.75, 0.25])
    assert drawn.shape == (n, 2)
    share = 0.2 / 0.35
    assert abs(drawn[:, 0].mean() - share) < 4 * math.sqrt(share * (1 - share) / n)
    assert (drawn[:, 1] == 0).all()
    none = latent.sample_components(np.random.default_rng(1), [[-INF, 0.0]], [1.0, 0.0])
    np.testing.assert_array_equal(none, [-1])


@enumerated
@given(chains())
def test_leave_one_out_equals_the_enumeration_with_and_without_the_row(chain: Chain) -> None:
    expected = [enumerate_leave_one_out(one, t) for one in chain.series for t in range(one.n_rows)]
    assert_same(latent.leave_one_out(*chain.arguments), expected)


@enumerated
@given(chains())
def test_viterbi_returns_a_path_with_the_best_enumerated_score(chain: Chain) -> None:
    path = latent.viterbi(*chain.arguments)
    for one, start in zip(chain.series, chain.starts, strict=True):
        paths, scores = enumerate_paths(one)
        part = path[start : start + one.n_rows]
        if max(scores) == -INF:
            np.testing.assert_array_equal(part, -1)
        else:
            score = scores[(paths == part).all(axis=1)]
            np.testing.assert_allclose(score, [max(scores)], rtol=1e-12, atol=1e-12)


@enumerated
@given(chains(), st.integers(0, 2**32 - 1))
def test_sampled_paths_are_possible_ones(chain: Chain, seed: int) -> None:
    path = latent.sample_states(np.random.default_rng(seed), *chain.arguments)
    for one, start in zip(chain.series, chain.starts, strict=True):
        paths, scores = enumerate_paths(one)
        part = path[start : start + one.n_rows]
        if max(scores) == -INF:
            np.testing.assert_array_equal(part, -1)
        else:
            assert scores[(paths == part).all(axis=1)] > -INF


@pytest.mark.parametrize("varying", [False, True])
def test_sample_states_draws_paths_as_often_as_they_are_probable(varying: bool) -> None:
    n_draws = 40_000
    rng = np.random.default_rng(20250101)
    transition = np.array([[0.7, 0.3, 0.0], [0.2, 0.5, 0.3], [0.1, 0.0, 0.9]])
    if varying:
        transition = np.stack([np.full((3, 3), np.nan), transition, transition[::-1]])
    chain = Chain(rng.normal(size=(3, 3)), np.array([0.5, 0.5, 0.0]), transition)
    paths, scores = enumerate_paths(chain)
    expected = np.exp(scores - log_sum(scores)) * n_draws

    many = np.broadcast_to(chain.log_omega, (n_draws, 3, 3))
    shared = transition[None] if varying else transition
    sampled = latent.sample_states(rng, many, chain.initial, shared)

    codes = np.array([9, 3, 1])
    counts = np.bincount(sampled @ codes, minlength=27)[paths @ codes]
    assert counts[expected == 0].sum() == 0
    common = expected > 5
    chi_square = np.sum((counts[common] - expected[common]) ** 2 / expected[common])
    # Mean and variance of chi square: five standard deviations above what chance gives.
    degrees = common.sum() - 1
    assert chi_square < degrees + 5 * math.sqrt(2 * degrees)
    assert expected[~common].sum() < 25


# HMMs: properties


@enumerated
@given(chains(min_states=2), st.randoms(use_true_random=False))
def test_permuting_states_permutes_answers(chain: Chain, random: object) -> None:
    order = list(range(chain.n_states))
    random.shuffle(order)  # type: ignore[attr-defined]
    permuted = Chain(
        chain.log_omega[:, order],
        chain.initial[order],
        chain.transition[..., order, :][..., order],
        chain.starts,
    )
    for question in (latent.filtering, latent.smoothing):
        assert_same(question(*permuted.arguments), question(*chain.arguments)[:, order])
    for question in (latent.log_likelihood, latent.leave_one_out):
        assert_same(question(*permuted.arguments), question(*chain.arguments))
    assert_same(
        latent.responsibility(permuted.log_omega, permuted.initial),
        latent.responsibility(chain.log_omega, chain.initial)[:, order],
    )


def test_permuting_states_permutes_the_viterbi_path() -> None:
    chain = random_chain(3, n_rows=50, n_states=3)
    order = [2, 0, 1]
    permuted = Chain(
        chain.log_omega[:, order], chain.initial[order], chain.transition[order][:, order]
    )
    np.testing.assert_array_equal(
        np.array(order)[latent.viterbi(*permuted.arguments)], latent.viterbi(*chain.arguments)
    )


QUESTIONS = [
    latent.filtering,
    latent.backward_filtering,
    latent.log_likelihood,
    latent.smoothing,
    latent.path_entropy,
    latent.leave_one_out,
    latent.viterbi,
]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("varying", [False, True])
def test_every_draw_is_answered_as_if_it_were_alone(question, varying: bool) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(7)
    log_omega = rng.normal(size=(2, 4, 5, 3))
    initial = rng.dirichlet(np.ones(3), size=(2, 4))
    transition = rng.dirichlet(np.ones(3), size=(2, 4, 5, 3) if varying else (2, 4, 3))
    together = question(log_omega, initial, transition, (0, 2))
    for draw in np.ndindex(2, 4):
        alone = question(log_omega[draw], initial[draw], transition[draw], (0, 2))
        np.testing.assert_allclose(together[draw], alone, rtol=1e-12)


@pytest.mark.parametrize("question", QUESTIONS)
def test_leading_axes_broadcast(question) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(8)
    log_omega = rng.normal(size=(2, 1, 5, 3))
    initial = rng.dirichlet(np.ones(3))
    transition = rng.dirichlet(np.ones(3), size=(4, 3))
    wide = np.broadcast_to(log_omega, (2, 4, 5, 3)).copy()
    np.testing.assert_allclose(
        question(log_omega, initial, transition),
        question(wide, np.tile(initial, (2, 4, 1)), np.tile(transition, (2, 1, 1, 1))),
        rtol=1e-12,
    )


def test_sampled_paths_have_the_broadcast_shape() -> None:
    log_omega = np.zeros((2, 1, 5, 3))
    transition = np.full((4, 3, 3), 1 / 3)
    path = latent.sample_states(np.random.default_rng(1), log_omega, np.ones(3) / 3, transition)
    assert path.shape == (2, 4, 5)
    assert set(np.unique(path)) == {0, 1, 2}


def test_a_time_varying_transition_that_never_varies_is_a_constant_one() -> None:
    chain = random_chain(4, n_rows=20, n_states=3, draws=(6,))
    varying = np.repeat(chain.transition[:, None], 20, axis=1)
    for question in QUESTIONS:
        np.testing.assert_array_equal(
            question(chain.log_omega, chain.initial, varying),
            question(chain.log_omega, chain.initial, chain.transition),
        )


def test_series_are_answered_as_if_they_were_alone() -> None:
    chain = replace(random_chain(5, n_rows=30, n_states=2), starts=(0, 1, 12))
    for question in (latent.filtering, latent.smoothing, latent.leave_one_out, latent.viterbi):
        alone = [question(*one.arguments) for one in chain.series]
        np.testing.assert_allclose(question(*chain.arguments), np.concatenate(alone), rtol=1e-12)


def test_increments_sum_to_the_log_likelihood_and_leave_one_out_terms_do_not() -> None:
    chain = random_chain(6, n_rows=30, n_states=3)
    total = latent.log_likelihood(*chain.arguments).sum()
    assert latent.forward(*chain.arguments).log_increment.sum() == pytest.approx(total)
    assert abs(latent.leave_one_out(*chain.arguments).sum() - total) > 1


def test_filtering_and_smoothing_agree_at_the_end_of_every_series() -> None:
    chain = replace(random_chain(9, n_rows=30, n_states=3), starts=(0, 10, 11))
    ends = [9, 10, 29]
    assert_same(latent.smoothing(*chain.arguments)[ends], latent.filtering(*chain.arguments)[ends])


def test_predicted_is_initial_where_a_series_starts() -> None:
    chain = replace(random_chain(10, n_rows=9, n_states=3), starts=(0, 4))
    predicted = latent.forward(*chain.arguments).predicted
    assert_same(predicted[[0, 4]], [chain.initial, chain.initial])


def test_sample_states_is_reproducible_and_draws_differ() -> None:
    arguments = (np.zeros((50, 6, 3)), np.ones(3) / 3, np.full((3, 3), 1 / 3))
    first = latent.sample_states(np.random.default_rng(1), *arguments)
    again = latent.sample_states(np.random.default_rng(1), *arguments)
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first, axis=0)) > 25


class LowestNumbers(np.random.Generator):
    """A generator of the one number that is most awkward to invert."""

    def random(self, size: tuple[int, ...]) -> Array:  # type: ignore[override]
        return np.zeros(size)


def test_a_state_of_probability_zero_is_not_sampled_even_by_the_number_zero() -> None:
    rng = LowestNumbers(np.random.PCG64(0))
    path = latent.sample_states(rng, np.zeros((3, 2)), [0.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(path, [1, 1, 1])


def test_viterbi_breaks_ties_towards_the_lowest_state() -> None:
    tied = latent.viterbi(np.zeros((4, 3)), np.ones(3) / 3, np.full((3, 3), 1 / 3))
    np.testing.assert_array_equal(tied, [0, 0, 0, 0])


def test_one_state_makes_the_answer_the_sum_of_the_densities() -> None:
    log_omega = np.array([[-1.0], [-2.0], [-INF]])
    arguments = ([1.0], [[1.0]], (0, 2))
    np.testing.assert_array_equal(latent.log_likelihood(log_omega, *arguments), [-3.0, -INF])
    np.testing.assert_array_equal(latent.smoothing(log_omega, *arguments)[:2], [[1.0], [1.0]])
    np.testing.assert_array_equal(latent.viterbi(log_omega, *arguments), [0, 0, -1])


def test_questions_leave_their_arguments_unchanged() -> None:
    chain = random_chain(11, n_rows=10, n_states=3, draws=(5,))
    before = [argument.copy() for argument in chain.arguments[:3]]
    for question in QUESTIONS:
        question(*chain.arguments)
    latent.sample_states(np.random.default_rng(0), *chain.arguments)
    latent.stationary(chain.transition)
    for argument, original in zip(chain.arguments[:3], before, strict=True):
        np.testing.assert_array_equal(argument, original)


# HMMs: the edges of floating point


def test_a_hundred_thousand_rows_with_equal_transition_rows_are_a_mixture() -> None:
    rng = np.random.default_rng(12)
    log_omega = rng.normal(size=(100_000, 2), scale=30.0, loc=-50.0)
    weights = np.array([0.3, 0.7])
    result = latent.forward(log_omega, weights, np.tile(weights, (2, 1)))
    increments = latent.mixture_log_density(log_omega, weights)
    np.testing.assert_allclose(result.log_increment, increments, rtol=1e-13, atol=1e-13)
    assert result.log_increment.sum() == pytest.approx(increments.sum(), rel=1e-14)
    np.testing.assert_allclose(
        result.filtering, latent.responsibility(log_omega, weights), rtol=1e-12, atol=1e-300
    )


def test_smoothing_a_long_series_is_the_same_read_forwards_and_backwards() -> None:
    # A symmetric transition is reversible and has the uniform stationary distribution.
    rng = np.random.default_rng(13)
    log_omega = rng.normal(size=(10_000, 2), scale=5.0)
    initial, transition = np.array([0.5, 0.5]), np.array([[0.999, 0.001], [0.001, 0.999]])
    forwards = latent.smoothing(log_omega, initial, transition)
    backwards = latent.smoothing(log_omega[::-1], initial, transition)[::-1]
    np.testing.assert_allclose(forwards.sum(axis=1), 1.0, rtol=1e-13)
    np.testing.assert_allclose(forwards, backwards, rtol=1e-9, atol=1e-300)


def test_densities_of_any_size_leave_the_state_probabilities_alone() -> None:
    chain = random_chain(14, n_rows=200, n_states=3)
    shift = np.where(np.arange(200) % 2, -(2.0**20), 2.0**20)[:, None]
    coarse = replace(chain, log_omega=np.round(chain.log_omega * 2**20) / 2**20)
    shifted = replace(coarse, log_omega=coarse.log_omega + shift)
    for question in (latent.filtering, latent.smoothing):
        np.testing.assert_array_equal(question(*shifted.arguments), question(*coarse.arguments))


def test_viterbi_still_tells_states_apart_after_many_rows() -> None:
    # The score of the best path is near -3500, where neighbouring floats are 4.5e-13 apart.
    log_omega = np.zeros((5000, 2))
    log_omega[-1, 1] = 1e-13
    path = latent.viterbi(log_omega, np.full(2, 0.5), np.full((2, 2), 0.5))
    np.testing.assert_array_equal(path, [*np.zeros(4999), 1])


def test_a_state_of_vanishing_probability_counts_when_only_it_can_go_on() -> None:
    # After row 0, state 1 has probability exp(-2000); no transition leads there; row 1 needs it.
    log_omega = np.array([[0.0, -2000.0], [-INF, 0.0]])
    arguments = (log_omega, np.array([0.5, 0.5]), np.eye(2))
    assert_same(latent.log_likelihood(*arguments), [-2000.0 + math.log(0.5)])
    assert_same(latent.filtering(*arguments), [[1, 0], [0, 1]])
    assert_same(latent.smoothing(*arguments), [[0, 1], [0, 1]])
    assert_same(latent.leave_one_out(*arguments), [-2000.0, -2000.0])
    np.testing.assert_array_equal(latent.viterbi(*arguments), [1, 1])
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(latent.sample_states(rng, *arguments), [1, 1])


def test_tiny_transition_probabilities_are_safe() -> None:
    tiny = 1e-300
    n_rows = 9
    log_omega = np.full((n_rows, 2), -INF)
    log_omega[np.arange(n_rows), np.arange(n_rows) % 2] = 0.0
    arguments = (log_omega, np.array([1.0, 0.0]), np.array([[1.0, tiny], [tiny, 1.0]]))
    assert_same(latent.log_likelihood(*arguments), [(n_rows - 1) * math.log(tiny)])
    assert_same(latent.smoothing(*arguments), np.exp(log_omega))
    np.testing.assert_array_equal(latent.viterbi(*arguments), np.arange(n_rows) % 2)


def test_nothing_warns_even_where_underflow_is_an_error() -> None:
    log_omega = np.array([[0.0, -2000.0], [-INF, -730.0], [-5.0, -5.0], [-INF, -INF]])
    initial, transition = np.array([1.0, 1e-300]), np.array([[1.0, 0.0], [1e-300, 1.0]])
    with np.errstate(all="raise"):
        answers = [
            *(question(log_omega, initial, transition, (0, 2, 3)) for question in QUESTIONS),
            latent.forward(log_omega, initial, transition, (0, 2, 3)).predicted,
            latent.responsibility(log_omega, initial),
            latent.mixture_log_density(log_omega, initial)[:, None],
            latent.sample_states(
                np.random.default_rng(0), log_omega, initial, transition, (0, 2, 3)
            ),
            latent.stationary([[1.0, 1e-300], [1.0, 1e-300]]),
        ]
    assert [len(answer) for answer in answers] == [4, 4, 3, 4, 3, 4, 4, 4, 4, 4, 4, 2]


# HMMs: impossible rows


@pytest.fixture
def impossible() -> Chain:
    """Two draws, two series; the second row of draw 1's first series is impossible."""
    chain = random_chain(15, n_rows=7, n_states=2, draws=(2,))
    chain.log_omega[1, 1] = -INF
    return replace(chain, starts=(0, 4))


def test_a_series_with_an_impossible_row_has_density_zero_from_there_on(impossible: Chain) -> None:
    log_increment = latent.forward(*impossible.arguments).log_increment
    np.testing.assert_array_equal(log_increment[1, 1:4], -INF)
    assert np.isfinite(log_increment[1, [0, 4, 5, 6]]).all()
    assert np.isfinite(log_increment[0]).all()
    log_likelihood = latent.log_likelihood(*impossible.arguments)
    np.testing.assert_array_equal(np.isneginf(log_likelihood), [[False, False], [True, False]])


def test_filtering_is_nan_from_an_impossible_row_to_the_end_of_its_series(
    impossible: Chain,
) -> None:
    filtering = latent.filtering(*impossible.arguments)
    predicted = latent.forward(*impossible.arguments).predicted
    assert np.isnan(filtering[1, 1:4]).all()
    assert np.isfinite(filtering[1, [0, 4, 5, 6]]).all()
    assert np.isfinite(filtering[0]).all()
    assert np.isnan(predicted[1, 2:4]).all()
    assert np.isfinite(predicted[1, [0, 1, 4, 5, 6]]).all()


def test_smoothing_is_nan_in_all_rows_of_a_series_with_an_impossible_row(
    impossible: Chain,
) -> None:
    smoothing = latent.smoothing(*impossible.arguments)
    assert np.isnan(smoothing[1, :4]).all()
    assert np.isfinite(smoothing[1, 4:]).all()
    assert np.isfinite(smoothing[0]).all()


def test_leaving_out_the_only_impossible_row_is_possible(impossible: Chain) -> None:
    terms = latent.leave_one_out(*impossible.arguments)
    assert terms[1, 1] == -INF
    assert np.isnan(terms[1, [0, 2, 3]]).all()
    assert np.isfinite(terms[1, 4:]).all()
    assert np.isfinite(terms[0]).all()


def test_paths_are_minus_one_in_a_series_with_an_impossible_row(impossible: Chain) -> None:
    sampled = latent.sample_states(np.random.default_rng(2), *impossible.arguments)
    for path in (latent.viterbi(*impossible.arguments), sampled):
        np.testing.assert_array_equal(path[1, :4], -1)
        assert (path[1, 4:] >= 0).all()
        assert (path[0] >= 0).all()


def test_a_row_is_impossible_where_only_unreachable_states_allow_it() -> None:
    log_omega = np.array([[0.0, 0.0], [-INF, 0.0], [0.0, 0.0]])
    arguments = (log_omega, np.array([1.0, 0.0]), np.eye(2))
    np.testing.assert_array_equal(latent.forward(*arguments).log_increment, [0.0, -INF, -INF])


# The stationary distribution


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_stationary_is_the_left_eigenvector_of_eigenvalue_one(n_states: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    transition = rng.dirichlet(np.ones(n_states), size=n_states)
    values, vectors = np.linalg.eig(transition.T)
    vector = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    np.testing.assert_allclose(
        latent.stationary(transition), vector / vector.sum(), rtol=1e-7, atol=1e-9
    )


def test_stationary_serves_all_draws_at_once() -> None:
    rng = np.random.default_rng(16)
    transition = rng.dirichlet(np.ones(3), size=(4, 5, 3))
    together = latent.stationary(transition)
    assert together.shape == (4, 5, 3)
    assert_same(np.einsum("...i,...ij->...j", together, transition), together)
    assert_same(together[2, 3], latent.stationary(transition[2, 3]))


def test_stationary_takes_a_periodic_chain() -> None:
    assert_same(latent.stationary([[0.0, 1.0], [1.0, 0.0]]), [0.5, 0.5])


def test_stationary_keeps_its_digits_where_states_hardly_ever_change() -> None:
    # 1 - 1e-300 is 1 in floating point: only the entries off the diagonal tell the answer.
    transition = [[1.0, 3e-300], [1e-300, 1.0]]
    np.testing.assert_allclose(latent.stationary(transition), [0.25, 0.75], rtol=1e-14)


@pytest.mark.parametrize(
    "transition",
    [
        np.eye(2),
        np.array([[1.0, 0.0], [0.5, 0.5]]),
        np.array([[0.5, 0.5], [0.0, 1.0]]),
        np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]),
        np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]),
        np.stack([np.full((2, 2), 0.5), np.eye(2)]),
    ],
    ids=["identity", "absorbing first", "absorbing last", "block", "interleaved", "one draw"],
)
def test_stationary_refuses_reducible_chains(transition: Array) -> None:
    with pytest.raises(ValueError, match="reducible"):
        latent.stationary(transition)


@st.composite
def transitions(draw: st.DrawFn) -> Array:
    """Draw a transition matrix that often has zeros, and no entry near the smallest float."""
    n_states = draw(st.integers(1, 4))
    return np.array([draw(probabilities(n_states, plain_masses)) for _ in range(n_states)])


@settings(deadline=None, derandomize=True, max_examples=100)
@given(transitions())
def test_stationary_refuses_exactly_the_chains_in_which_some_state_cannot_be_reached(
    transition: Array,
) -> None:
    n_states = len(transition)
    reached = np.linalg.matrix_power((transition > 0) + np.eye(n_states), n_states) > 0
    if reached.all():
        state = latent.stationary(transition)
        np.testing.assert_allclose(state.sum(), 1.0, rtol=1e-14)
        np.testing.assert_allclose(state @ transition, state, atol=1e-14)
    else:
        with pytest.raises(ValueError, match="reducible"):
            latent.stationary(transition)


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"log_omega": np.zeros(2)}, r"shape \(\.\.\., N, K\)"),
        ({"log_omega": np.array([[0.0, 0.0], [0.0, np.nan]])}, r"not NaN: see entry \(1, 1\)"),
        ({"log_omega": np.array([[INF, 0.0], [0.0, 0.0]])}, r"see entry \(0, 0\)"),
        ({"initial": np.ones(3) / 3}, r"`initial` must have shape \(\.\.\., 2\)"),
        ({"initial": np.array([1.5, -0.5])}, "`initial` must hold probabilities"),
        ({"transition": np.ones((3, 3)) / 3}, r"`transition` must have shape \(\.\.\., 2, 2\)"),
        ({"transition": np.ones((3, 2, 2)) / 2}, r"shape \(\.\.\., 2, 2, 2\)"),
        ({"transition": np.ones((1, 2, 2, 2)) / 2}, "`transition` must have shape"),
        ({"transition": np.array([[1.0, 0.0], [np.nan, 1.0]])}, "`transition` must hold prob"),
        ({"transition": np.full((2, 2, 2), np.nan)}, "`transition` must hold prob"),
        ({"starts": ()}, "begins with 0"),
        ({"starts": (1,)}, "begins with 0"),
        ({"starts": (0.0, 1.0)}, "begins with 0"),
        ({"starts": (0, 0)}, "increase strictly"),
        ({"starts": (0, 2)}, "stay below 2"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "log_omega": np.zeros((2, 2)),
        "initial": np.ones(2) / 2,
        "transition": np.ones((2, 2)) / 2,
        "starts": (0,),
    }
    with pytest.raises(ValueError, match=message):
        latent.forward(**{**arguments, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("transition", [np.ones(3), np.ones((2, 3)) / 3, np.ones((0, 0))])
def test_stationary_refuses_what_is_not_square(transition: Array) -> None:
    with pytest.raises(ValueError, match="must have shape"):
        latent.stationary(transition)


def test_weights_must_fit_the_components() -> None:
    with pytest.raises(ValueError, match=r"`weights` must have shape \(\.\.\., 2\)"):
        latent.responsibility(np.zeros((4, 2)), np.ones(3) / 3)


def test_a_constant_transition_is_never_spread_over_the_rows() -> None:
    chain = random_chain(17, n_rows=400, n_states=8, draws=(20,))
    spread = 20 * 400 * 8 * 8 * 8
    tracemalloc.start()
    latent.smoothing(*chain.arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < spread


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda f: f.__name__)
def test_series_may_start_with_probabilities_of_their_own(question: Callable[..., Any]) -> None:
    rng = np.random.default_rng(5)
    log_omega = np.log(rng.random((4, 7, 3)))
    initial = rng.dirichlet(np.ones(3), size=(4, 2))
    transition = rng.dirichlet(np.ones(3), size=3)
    together = question(log_omega, initial, transition, (0, 3))
    first = question(log_omega[:, :3], initial[:, 0], transition)
    second = question(log_omega[:, 3:], initial[:, 1], transition)
    assert_same(together, np.concatenate([first, second], axis=1))


def test_rows_may_have_weights_of_their_own() -> None:
    rng = np.random.default_rng(6)
    log_omega = np.log(rng.random((4, 5, 3)))
    weights = rng.dirichlet(np.ones(3), size=(4, 5))
    for n in range(5):
        row = (log_omega[:, [n]], weights[:, n])
        assert_same(latent.responsibility(log_omega, weights)[:, [n]], latent.responsibility(*row))
        alone = latent.mixture_log_density(*row)
        assert_same(latent.mixture_log_density(log_omega, weights)[:, [n]], alone)


@pytest.mark.parametrize("shape", [(4, 3, 3), (4, 2, 2)])
def test_initial_probabilities_by_series_must_fit_the_series(shape: tuple[int, ...]) -> None:
    log_omega = np.zeros((4, 7, 3))
    with pytest.raises(ValueError, match="`initial` must have shape"):
        latent.filtering(log_omega, np.full(shape, 1 / 3), np.eye(3), (0, 3))
