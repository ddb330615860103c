"""States and paths, against the enumeration of all paths at single draws."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from stanmix.engines.cmdstan import CmdStan
from tests.questions.conftest import QUICK, enumerated

pytestmark = pytest.mark.engine

DRAWS = [(0, 3), (1, 88)]


def require_states_of_the_enumeration(fit: sm.Fit) -> None:
    smoothing, viterbi, entropy = fit.smoothing(), fit.viterbi(), fit.entropy()
    for draw in DRAWS:
        total = 0.0
        for where, paths, joint in enumerated(fit, draw):
            joint = joint / joint.sum()
            best = paths[joint.argmax()] + 1
            assert viterbi[draw].sel(obs=where).values.tolist() == best.tolist()
            total -= (joint * np.log(joint)).sum()
            for t, row in enumerate(where):
                expected = np.bincount(paths[:, t], weights=joint)
                got = smoothing[draw].sel(obs=row)
                np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-12)
                np.testing.assert_allclose(
                    entropy["each"][draw].sel(obs=row), stats.entropy(expected), atol=1e-9
                )
        np.testing.assert_allclose(entropy["total"][draw], total, rtol=1e-9)


def test_states_are_those_of_all_paths(chain: sm.Fit) -> None:
    require_states_of_the_enumeration(chain)


def test_states_are_those_of_all_paths_when_cmdstan_answers(
    chain: sm.Fit, cmdstan: CmdStan
) -> None:
    require_states_of_the_enumeration(chain.answered_by(cmdstan))


def test_filtering_knows_the_rows_so_far_and_backward_filtering_the_others(chain: sm.Fit) -> None:
    data = pd.DataFrame(dict(chain.model.table.columns))
    past, ahead = chain.filtering(), chain.backward_filtering()
    for t in range(1, 6):
        known = data.assign(y=data["y"].where(data["t"] <= t).astype(float))
        other = data.assign(y=data["y"].where(data["t"] >= t).astype(float))
        rows = data.index[data["t"] == t]
        for given, answer in ((known, past), (other, ahead)):
            expected = chain.smoothing(given).sel(obs=rows)
            np.testing.assert_allclose(answer.sel(obs=rows), expected, rtol=1e-7, atol=1e-12)


def test_filtering_of_new_data_does_not_look_ahead(chain: sm.Fit) -> None:
    data = pd.DataFrame(dict(chain.model.table.columns))
    changed = data.assign(y=data["y"].where(data["t"] < 4, 30))
    earlier = data.index[data["t"] < 4]
    before, after = chain.filtering(data), chain.filtering(changed)
    np.testing.assert_array_equal(before.sel(obs=earlier), after.sel(obs=earlier))
    assert not np.allclose(before, after)


def test_paths_are_drawn_as_often_as_they_are_probable(chain: sm.Fit) -> None:
    """Over many copies of a series, at one draw of the parameters."""
    copies = 2000
    data = pd.DataFrame(dict(chain.model.table.columns)).query("s == 'x'")
    many = pd.concat([data.assign(s=i) for i in range(copies)], ignore_index=True)
    drawn = chain.sample_states(many, draws=1)[0, 0].values.reshape(copies, 5)
    where, paths, joint = next(enumerated(chain, (0, 0)))
    joint = joint / joint.sum()
    in_time = drawn[:, data.index.get_indexer(where)] - 1
    codes = in_time @ 3 ** np.arange(4, -1, -1)
    seen = np.bincount(codes, minlength=len(paths))
    rare = joint * copies < 5
    observed = np.append(seen[~rare], seen[rare].sum())
    expected = np.append(joint[~rare], joint[rare].sum()) * copies
    assert stats.chisquare(observed, expected).pvalue > 1e-4


def test_components_are_drawn_as_often_as_they_are_responsible(mixture: sm.Fit) -> None:
    y = np.full(20_000, 0.0)
    p = mixture.responsibility({"y": [0.0]}, draws=2).values[:, :, 0, 0]
    drawn = mixture.sample_states({"y": y}, draws=2)
    share = (drawn == 1).mean("obs").values
    assert 0.01 < p.min() < 0.99
    assert (abs(share - p) < 4 * np.sqrt(p * (1 - p) / len(y))).all()


def test_what_is_drawn_is_the_same_until_another_seed_is_given(chain: sm.Fit) -> None:
    first = chain.sample_states()
    assert first.equals(chain.sample_states())
    assert not first.equals(chain.sample_states(seed=2))


def test_stays_and_occupancy_are_those_of_the_paths_drawn(chain: sm.Fit) -> None:
    paths, data = chain.sample_states(seed=5), pd.DataFrame(dict(chain.model.table.columns))
    stays, occupancy = chain.dwell_times(seed=5), chain.occupancy(seed=5)
    assert stays.dims == ("chain", "draw", "state", "length")
    for draw in DRAWS:
        counts = dict.fromkeys(itertools.product([1, 2, 3], stays["length"].values.tolist()), 0)
        for _, rows in data.groupby("s"):
            path = paths[draw].sel(obs=rows.sort_values("t").index).values
            for state, stay in itertools.groupby(path):
                counts[int(state), len(list(stay))] += 1
        got = {(k, n): int(stays[draw].sel(state=k, length=n)) for k, n in counts}
        assert got == counts
        shares = [(paths[draw] == k).mean() for k in (1, 2, 3)]
        np.testing.assert_allclose(occupancy[draw], shares)


def test_how_long_states_last_is_not_known_where_times_are_left_out() -> None:
    data = {"y": [0, 1, 0, 9, 8, 11, 9, 1, 0, 0], "t": [1, 2, 3, 4, 5, 8, 9, 10, 11, 12]}
    fit = sm.fit("y | time(t) ~ hmm(poisson, states=2)", data, **(QUICK | {"draws": 50}))
    with pytest.raises(sm.DataError, match="`t` leaves out times"):
        fit.dwell_times()


def test_entropy_of_a_mixture_adds_up(mixture: sm.Fit) -> None:
    entropy = mixture.entropy()
    p = mixture.responsibility()
    expected = stats.entropy(p.values, axis=-1)
    np.testing.assert_allclose(entropy["each"], expected, atol=1e-12)
    np.testing.assert_allclose(entropy["total"], expected.sum(axis=-1))


def test_questions_of_paths_are_not_for_mixtures(mixture: sm.Fit) -> None:
    for question, instead in (
        (mixture.backward_filtering, "responsibility"),
        (mixture.dwell_times, "occupancy"),
    ):
        with pytest.raises(sm.SpecError, match=f"mixture has no .*; ask for {instead}"):
            question()


def test_copies_of_a_row_have_components_of_their_own() -> None:
    data = {"y": [-2.0, -1.8, 2.0, 2.2, 0.1], "n": [1, 1, 50, 1, 20]}
    formula = "y ~ mix(normal(sigma=1), K=2)"
    options = QUICK | {"adapt_delta": 0.99, "draws": 400}
    few = sm.fit(formula.replace("y", "y | freq(n)", 1), data, **options)
    every = sm.model(formula, {"y": np.repeat(data["y"], data["n"])})
    written = sm.Fit(every, few.draws, few.engine)
    np.testing.assert_allclose(few.entropy()["total"], written.entropy()["total"])
    one, two = (f.occupancy().mean(("chain", "draw")).values for f in (few, written))
    np.testing.assert_allclose(one, two, atol=0.01)
    assert one.sum() == pytest.approx(1)


@pytest.mark.filterwarnings("ignore::stanmix.errors.ConvergenceWarning")
def test_what_is_not_possible_at_some_draws_is_nan_there() -> None:
    rng = np.random.default_rng(1)
    rt = 0.3 + rng.gamma(2, 0.2, 40)
    fit = sm.fit("rt ~ hmm(wald(drift=3), states=2, share=ndt)", {"rt": rt}, **QUICK)
    early = float(fit.draws["posterior"]["ndt"].median())
    shares = fit.occupancy({"rt": [0.8, early, 0.9]})
    assert 0.3 < shares.isnull().any("state").mean() < 0.7
    np.testing.assert_allclose(shares.dropna("draw").sum("state"), 1)
    stays = fit.dwell_times({"rt": [0.8, early, 0.9]})
    assert (stays.isnull().all(("state", "length")) == shares.isnull().all("state")).all()
