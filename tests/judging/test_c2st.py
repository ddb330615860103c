from __future__ import annotations

import numpy as np
import pytest

import stanmix as sm

Array = np.ndarray


def normal(seed: int, n: int, d: int) -> tuple[Array, Array]:
    a, b = np.random.default_rng(seed).normal(size=(2, n, d))
    return a, b


def autoregressive(rho: float, n: int, d: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(n, d))
    for i in range(1, n):
        found[i] = rho * found[i - 1] + np.sqrt(1 - rho**2) * found[i]
    return found


def test_draws_of_one_distribution_are_not_told_apart() -> None:
    a, b = normal(4, 1000, 3)
    found = sm.c2st({"x": a}, {"x": b})
    assert found.verdict == "not told apart"
    # Four standard deviations of a share of 2000, which folds make a third larger.
    assert abs(found.score - 0.5) < 4 * 1.35 * 0.5 / np.sqrt(2000)
    assert abs(found.floor - 0.5) < 4 * 1.35 * 0.5 / np.sqrt(1000)
    assert found.folds.shape == (1, 5) and found.score == found.folds.to_numpy().mean()
    assert found.n == 1000


def test_a_shift_is_found_and_what_gives_it_away_is_named() -> None:
    a, b = normal(2, 2000, 4)
    b[:, 2] += 0.4
    found = sm.c2st({"x": a}, {"x": b})
    assert found.verdict == "different" and found.p_value < 1e-6
    assert found.importance.index[0] == "x[3]"
    # The best accuracy of all is that of a threshold half-way.
    assert 0.54 < found.score < 0.5793 + 4 * 0.5 / np.sqrt(4000)
    assert "x[3]" in repr(found) and "recipe stanmix" in repr(found)


def test_correlations_are_found_where_margins_agree() -> None:
    a, b = normal(3, 2000, 3)
    b[:, 1] = 0.7 * b[:, 0] + np.sqrt(1 - 0.49) * b[:, 1]
    assert sm.c2st({"x": a}, {"x": b}).verdict == "different"


def test_chains_that_hang_together_are_thinned_and_get_no_verdict() -> None:
    a, b = (autoregressive(0.95, 4000, 3, seed) for seed in (1, 2))
    found = sm.c2st({"x": a}, {"x": b})
    # They are worth 4000 / 39 independent ones, or somewhat fewer of three and their squares.
    assert 50 < found.n < 150 and found.verdict == "none"
    assert found.p_value > 0.01
    assert "No verdict" in repr(found)


def test_draws_that_hang_together_a_little_are_thinned_too() -> None:
    # 4000 draws with these correlations are worth 2720; half of them are taken.
    a, b = (autoregressive(0.19, 4000, 3, seed) for seed in (1, 2))
    assert sm.c2st({"x": a}, {"x": b}).n == 2000


def test_a_number_that_varies_in_one_draw_is_compared() -> None:
    a, b = normal(9, 400, 2)
    rare = np.zeros(400)
    rare[1] = 1.0
    found = sm.c2st({"x": a, "z": rare}, {"x": b[:399], "z": rare[:399]})
    assert np.isfinite([found.score, found.p_value, found.floor]).all()
    assert np.isfinite(sm.distances({"x": a, "z": rare}, {"x": b[:399], "z": rare[:399]})).all(
        axis=None
    )


def test_chains_that_alternate_are_thinned_like_others() -> None:
    a, b = (
        np.stack([autoregressive(0.9, 1000, 3, 10 * seed + c) for c in range(4)], axis=1)
        for seed in (1, 2)
    )
    found = sm.c2st({"x": a.reshape(4000, 3)}, {"x": b.reshape(4000, 3)})
    # Worth 4000 / 19 independent ones, or somewhat fewer.
    assert 50 < found.n < 250 and found.p_value > 0.01


def test_sets_of_unequal_size_are_compared_at_the_smaller() -> None:
    a, b = normal(4, 3000, 2)
    assert sm.c2st({"x": a}, {"x": b[:800]}).n == 800


def test_repetitions_have_folds_of_their_own() -> None:
    a, b = normal(5, 500, 2)
    found = sm.c2st({"x": a}, {"x": b}, repeats=3, seed=7)
    assert found.folds.shape == (3, 5) and len(set(found.folds.mean(axis=1))) == 3
    assert found.score == pytest.approx(found.folds.to_numpy().mean())
    again = sm.c2st({"x": a}, {"x": b}, repeats=3, seed=7)
    assert again.score == found.score and again.p_value == found.p_value


@pytest.mark.parametrize("recipe", ["paper", "sbibm"])
def test_slow_recipes_say_so_before_they_start(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = normal(6, 60, 2)
    found = sm.c2st({"x": a}, {"x": b}, recipe=recipe)
    assert f"recipe '{recipe}' takes minutes" in capsys.readouterr().err
    assert found.recipe == recipe and found.verdict == "none"


@pytest.mark.slow
def test_no_null_run_is_far_from_a_half_and_their_mean_is_close() -> None:
    scores = []
    for seed in range(20):
        a, b = normal(seed, 4000, 5)
        scores.append(sm.c2st({"x": a}, {"x": b}, seed=seed).score)
    assert min(scores) > 0.476 and max(scores) < 0.524
    assert 0.495 < np.mean(scores) < 0.505


@pytest.mark.slow
def test_the_p_value_has_its_size() -> None:
    rejected = 0
    for seed in range(200):
        a, b = np.random.default_rng(1000 + seed).normal(size=(2, 500, 3))
        rejected += sm.c2st({"x": a}, {"x": b}, seed=seed).p_value <= 0.05
    # The central 99.9 % of a binomial count of 200 at 0.05.
    assert 2 <= rejected <= 21


@pytest.mark.slow
def test_a_shift_of_0_15_in_five_dimensions_is_found() -> None:
    found = 0
    for seed in range(10):
        a, b = normal(seed, 4000, 5)
        found += sm.c2st({"x": a}, {"x": b + 0.15}, seed=seed).p_value < 0.01
    assert found >= 9


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ({"x": np.ones((99, 1))}, {"y": np.ones((99, 1))}, {}, r"`x\[1\]` is not among the second"),
        ({"x": np.ones(99)}, {"x": np.arange(99.0)}, {}, "`x` never varies in the first draws"),
        ({"x": np.arange(10.0)}, {"x": np.arange(99.0)}, {}, "first draws are 10, and at least 50"),
        (
            {"x": np.arange(99.0)},
            {"x": np.append(np.arange(98.0), np.nan)},
            {},
            "second draws of `x` are NaN or infinite in 1 of 99",
        ),
        ({"x": np.arange(99.0)}, {"x": np.arange(99.0)}, {"recipe": "sbi"}, "`recipe` is one of"),
        ({"x": np.arange(99.0)}, {"x": np.arange(99.0)}, {"repeats": 0}, "`repeats` must be"),
        ({"x": np.arange(99.0)}, {"x": np.arange(99.0)}, {"variables": "y"}, "no `y` in both"),
        ({"x": np.arange(99.0)}, 3, {}, "second draws must be a fit, .* not int"),
        ({"x": ["a"] * 99}, {"x": np.arange(99.0)}, {}, "first draws of `x` are no numbers"),
        ({"x": [[1], [1, 2]]}, {"x": np.arange(99.0)}, {}, "first draws of `x` are no numbers"),
        ({"x": np.ones((99, 0))}, {"x": np.arange(99.0)}, {}, "draws of `x` have no numbers"),
        ({}, {"x": np.arange(99.0)}, {}, "first draws are none"),
        ("nowhere.csv", {"x": np.arange(99.0)}, {}, "no file `nowhere.csv`"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, options, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(sm.StanmixError, match=message):
        sm.c2st(a, b, **options)
