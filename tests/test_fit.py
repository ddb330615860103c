"""Questions to a fit, against answers worked out from its draws with scipy and enumeration."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import stanmix as sm

pytestmark = pytest.mark.engine

QUICK = {"engine": "stanli", "chains": 2, "warmup": 300, "draws": 100, "seed": 1}


@pytest.fixture(scope="module")
def mixture() -> sm.Fit:
    rng = np.random.default_rng(1)
    y = np.concatenate([rng.normal(-2, 1, 20), rng.normal(2, 0.5, 30)])
    return sm.fit("y ~ mix(normal, K=2)", {"y": y}, **QUICK)


@pytest.fixture(scope="module")
def units() -> sm.Fit:
    rng = np.random.default_rng(2)
    ids = np.tile(["c", "a", "b", "d"], 3)
    y = rng.normal(np.tile([-2, 2, -2, 2], 3), 1)
    return sm.fit("y | unit(who) ~ mix(normal(sigma=1), K=2)", {"y": y, "who": ids}, **QUICK)


@pytest.fixture(scope="module")
def chain() -> sm.Fit:
    rng = np.random.default_rng(3)
    data = pd.DataFrame(
        {"s": np.repeat(["x", "y"], 5), "t": np.tile([5, 3, 4, 1, 2], 2), "y": rng.poisson(4, 10)}
    )
    data.loc[data["t"] > 3, "y"] += 9
    return sm.fit("y | series(s) + time(t) ~ hmm(poisson, states=2)", data, **QUICK)


def draw_of(fit: sm.Fit, chain: int, draw: int) -> dict[str, np.ndarray]:
    """The parameters of one draw, by places from 0."""
    posterior = fit.draws["posterior"].to_dataset().isel(chain=chain, draw=draw)
    return {str(name): values.values for name, values in posterior.items()}


def test_responsibility_is_bayes_rule_at_every_draw(mixture: sm.Fit) -> None:
    answer = mixture.responsibility(draws=None)
    assert answer.dims == ("chain", "draw", "obs", "state")
    assert answer.sizes == {"chain": 2, "draw": 100, "obs": 50, "state": 2}
    y = mixture.model.table.columns["y"].to_numpy()
    for place in [(0, 0), (1, 57), (1, 99)]:
        at = draw_of(mixture, *place)
        joint = at["weights"] * stats.norm(at["mu"], at["sigma"]).pdf(y[:, None])
        expected = joint / joint.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(answer[place], expected, rtol=1e-9, atol=1e-12)


def test_membership_is_the_average_of_responsibilities(mixture: sm.Fit) -> None:
    membership = mixture.membership(draws=None)
    average = mixture.responsibility(draws=None).mean(("chain", "draw"))
    np.testing.assert_allclose(membership, average)
    np.testing.assert_allclose(membership.sum(axis=1), 1)
    assert membership.columns.tolist() == [1, 2]


def test_new_rows_are_judged_one_by_one(mixture: sm.Fit) -> None:
    alone = mixture.membership({"y": [-2.5]})
    among = mixture.membership({"y": [2.5, -2.5, 0.0]})
    np.testing.assert_allclose(alone.loc[0], among.loc[1])


def test_rows_of_a_unit_are_judged_together(units: sm.Fit) -> None:
    answer = units.responsibility(draws=None)
    assert answer["unit"].values.tolist() == ["c", "a", "b", "d"]
    data = pd.DataFrame(dict(units.model.table.columns))
    at = draw_of(units, 1, 42)
    for unit, rows in data.groupby("who"):
        density = stats.norm(at["mu"], 1).logpdf(rows["y"].to_numpy()[:, None]).sum(axis=0)
        joint = at["weights"] * np.exp(density - density.max())
        got = answer.isel(chain=1, draw=42).sel(unit=unit)
        np.testing.assert_allclose(got, joint / joint.sum(), rtol=1e-9, atol=1e-12)


def enumerate_paths(y: np.ndarray, at: dict[str, np.ndarray]) -> dict[tuple[int, ...], float]:
    """Joint probability of the data and every path of states."""
    mass = stats.poisson(at["rate"]).pmf(y[:, None])
    joint = {}
    for path in itertools.product(range(2), repeat=len(y)):
        p = at["initial"][path[0]] * mass[0, path[0]]
        for t in range(1, len(y)):
            p *= at["transition"][path[t - 1], path[t]] * mass[t, path[t]]
        joint[path] = p
    return joint


def test_states_of_a_chain_are_those_of_the_enumeration_in_the_users_order(chain: sm.Fit) -> None:
    filtering, smoothing = chain.filtering(draws=None), chain.smoothing(draws=None)
    viterbi = chain.viterbi(draws=None)
    data = pd.DataFrame(dict(chain.model.table.columns))
    for place in [(0, 3), (1, 88)]:
        at = draw_of(chain, *place)
        for _, rows in data.groupby("s"):
            rows = rows.sort_values("t")
            y, where = rows["y"].to_numpy(), rows.index.to_numpy()
            joint = enumerate_paths(y, at)
            best = max(joint, key=joint.__getitem__)
            assert viterbi[place][where].values.tolist() == [k + 1 for k in best]
            for t in range(len(y)):
                past = enumerate_paths(y[: t + 1], at)
                for paths, answer in ((joint, smoothing), (past, filtering)):
                    total = np.zeros(2)
                    for path, p in paths.items():
                        total[path[t]] += p
                    got = answer[place][where[t]].values
                    np.testing.assert_allclose(got, total / total.sum(), rtol=1e-9, atol=1e-14)


def test_a_question_for_the_other_kind_of_model_says_which_to_ask(
    mixture: sm.Fit, chain: sm.Fit
) -> None:
    with pytest.raises(sm.SpecError, match="mixture has no `smoothing`; ask for responsibility"):
        mixture.smoothing()
    with pytest.raises(sm.SpecError, match="Markov model has no `responsibility`; ask for filt"):
        chain.responsibility()


def test_new_data_that_do_not_fit_are_refused(mixture: sm.Fit, chain: sm.Fit) -> None:
    with pytest.raises(sm.DataError, match="no column `y`"):
        mixture.membership({"x": [1.0]})
    with pytest.raises(sm.DataError, match="must be finite"):
        mixture.membership({"y": [np.inf, 1.0]})
    with pytest.raises(sm.DataError, match="no column `s`"):
        chain.smoothing({"y": [1], "t": [1]})
    with pytest.raises(sm.DataError, match="no rows"):
        mixture.membership({"y": []})


def test_a_row_without_a_response_has_the_probability_of_any_row(mixture: sm.Fit) -> None:
    weights = mixture.draws["posterior"]["weights"]
    at = mixture.responsibility({"y": [np.nan, 1.0]}, draws=None).isel(obs=0, drop=True)
    np.testing.assert_allclose(at.transpose(*weights.dims), weights, rtol=1e-12)


def test_the_draws_have_the_size_of_the_parameters(mixture: sm.Fit) -> None:
    posterior = mixture.draws["posterior"].to_dataset()
    assert {str(n): v.shape for n, v in posterior.items()} == {
        "mu": (2, 100, 2),
        "sigma": (2, 100, 2),
        "weights": (2, 100, 2),
    }
    assert set(mixture.draws.children) == {
        "posterior",
        "sample_stats",
        "observed_data",
        "constant_data",
    }


@pytest.mark.parametrize("name", ["mixture", "units", "chain"])
def test_a_saved_fit_answers_as_before(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    fit: sm.Fit = request.getfixturevalue(name)
    loaded = sm.load(fit.save(tmp_path / "fit.nc"))
    pd.testing.assert_frame_equal(loaded.summary(), fit.summary())
    pd.testing.assert_frame_equal(loaded.membership(), fit.membership())
    assert loaded.engine == fit.engine
    assert loaded.model.spec == fit.model.spec
    assert loaded.model.spec.notes == fit.model.spec.notes
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]


def test_what_is_no_fit_is_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(sm.DataError, match="There is no file"):
        sm.load(tmp_path / "nothing.nc")
    junk = tmp_path / "junk.nc"
    junk.write_bytes(b"junk")
    with pytest.raises(sm.DataError, match="holds no fit"):
        sm.load(junk)


def test_the_same_seed_gives_the_same_draws(mixture: sm.Fit) -> None:
    data = {"y": mixture.model.table.columns["y"].to_numpy()}
    again = sm.fit("y ~ mix(normal, K=2)", data, **QUICK)
    assert again.draws["posterior"].equals(mixture.draws["posterior"])
    other = sm.fit("y ~ mix(normal, K=2)", data, **(QUICK | {"seed": 2}))
    assert not other.draws["posterior"].equals(mixture.draws["posterior"])


def test_a_location_of_several_columns_is_put_together_from_what_is_sampled() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=(40, 3)) + np.repeat([0, 5], 20)[:, None] * [0, 1, 0]
    fit = sm.fit("y ~ mix(normal, K=2)", {"y": y}, **QUICK)
    mu = fit.draws["posterior"]["mu"]
    assert mu["column"].values.tolist() == ["y_1", "y_2", "y_3"]
    assert fit.model.spec.parameter("mu").place == 2
    assert (mu.sel(column="y_2").diff("state") > 0).all()
    corr = fit.draws["posterior"]["corr"].values
    np.testing.assert_allclose(np.diagonal(corr, axis1=-2, axis2=-1), 1)
    factor = fit.draws["sampled"]["corr_cholesky"].values
    np.testing.assert_allclose(corr, factor @ np.swapaxes(factor, -1, -2), atol=1e-12)
    at = draw_of(fit, 0, 5)
    covariance = at["sigma"][:, :, None] * at["sigma"][:, None, :] * at["corr"]
    got = fit.log_omega(draws=None).isel(chain=0, draw=5)
    for k in range(2):
        expected = stats.multivariate_normal(at["mu"][k], covariance[k]).logpdf(y)
        np.testing.assert_allclose(got[:, k], expected, rtol=1e-9)


def test_one_component_is_the_plain_model() -> None:
    rng = np.random.default_rng(5)
    y = rng.normal(3, 2, 50)
    fit = sm.fit("y ~ mix(normal, K=1)", {"y": y}, **QUICK)
    assert np.all(fit.membership() == 1)
    assert abs(fit.summary().loc["mu[1]", "mean"] - y.mean()) < 0.3


def test_sampler_options_are_checked_by_name_and_value() -> None:
    model = sm.model("y ~ mix(normal, K=1)", {"y": [1.0, 2.0, 4.0]})
    for options, message in [
        ({"max_tree_depth": 5}, "did you mean `max_treedepth`"),
        ({"chains": 0}, "`chains` must be a whole number from 1"),
        ({"adapt_delta": 1.5}, "`adapt_delta` must be between 0 and 1"),
        ({"metric": "dense"}, "`metric` must be one of"),
        ({"seed": -1}, "`seed` must be"),
        ({"engine": "stan"}, "Unknown engine `stan`"),
        ({"inits": "random"}, "`inits` must be"),
        ({"inits": None}, "`inits` must be"),
        ({"adapt_delta": None}, "`adapt_delta` must be between 0 and 1"),
        ({"parallel_chains": 0}, "`parallel_chains` must be"),
        ({"engine": None}, "Unknown engine `None`"),
    ]:
        with pytest.raises(sm.StanmixError, match=message):
            model.fit(**options)  # type: ignore[arg-type]


def test_a_diagnosis_works_where_draws_are_thinned_for_memory(
    mixture: sm.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = mixture.diagnose()
    monkeypatch.setattr("stanmix.questions.asking.CHUNK", 100)
    monkeypatch.setattr("stanmix.questions.invariants.CHUNK", 100)
    monkeypatch.setattr("stanmix.questions.invariants.THIN", 20)
    thinned = mixture.diagnose()
    assert set(thinned.invariant.index) == set(full.invariant.index)


def test_a_diagnosis_does_not_reassure_where_nothing_is_known(mixture: sm.Fit) -> None:
    data = {"y": mixture.model.table.columns["y"].to_numpy()}
    fit = sm.fit("y ~ mix(normal, K=2)", data, **(QUICK | {"chains": 1}))
    assert "nothing is known of convergence" in fit.diagnose().problems[0]


def test_trees_that_reach_their_largest_depth_are_counted(mixture: sm.Fit) -> None:
    data = {"y": mixture.model.table.columns["y"].to_numpy()}
    with pytest.warns(sm.ConvergenceWarning, match="different modes, or far too short"):
        fit = sm.fit("y ~ mix(normal, K=2)", data, **QUICK, max_treedepth=2)
    assert fit.diagnose().saturated > 100
    assert any("largest tree depth" in problem for problem in fit.diagnose().problems)


def test_answers_carry_the_index_of_the_data_frame() -> None:
    rng = np.random.default_rng(6)
    index = [f"r{i}" for i in range(40)]
    data = pd.DataFrame({"y": rng.normal(np.repeat([0, 6], 20), 1)}, index=index)
    fit = sm.fit("y ~ mix(normal, K=2)", data, **QUICK)
    assert fit.membership().index.tolist() == index
    assert fit.membership(data.iloc[[7]]).index.tolist() == ["r7"]
    assert data.join(fit.membership()).notna().all(axis=None)


def test_rows_that_no_component_can_have_are_named() -> None:
    rng = np.random.default_rng(7)
    fit = sm.fit("rt ~ mix(wald, K=1)", {"rt": 0.5 + rng.wald(1, 2, 60)}, **QUICK)
    with pytest.raises(sm.DataError, match=r"density 0 in every component \(first: row 1\)"):
        fit.membership({"rt": [2.0, 0.01]})


def test_averages_over_switched_labels_are_warned_of() -> None:
    y = np.repeat([-4.0, 4.0], 20) + np.random.default_rng(8).normal(size=40)
    model = sm.model("y ~ mix(normal, K=2, order=none)", {"y": y})
    base = {"sigma": np.ones(2), "weights": np.full(2, 0.5)}
    starts = [{"mu": np.array([-4.0, 4.0]), **base}, {"mu": np.array([4.0, -4.0]), **base}]
    fit = model.fit(**QUICK, inits=starts)
    with pytest.warns(sm.ConvergenceWarning, match="nothing orders the components"):
        fit.membership()
    assert any("their labels differ" in problem for problem in fit.diagnose().problems)


def test_units_of_several_series_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    who, time = np.repeat(["b", "a"], 12), np.tile(np.repeat([1, 2, 3, 4, 5, 6], 2), 2)
    data = {"y": rng.normal(5 * (time > 3)), "who": who, "t": time}
    fit = sm.fit("y | unit(t) + series(who) + time(t) ~ hmm(normal, states=2)", data, **QUICK)
    smooth = fit.smoothing()
    assert smooth["series"].values.tolist() == ["b"] * 6 + ["a"] * 6
    member = fit.membership()
    assert member.index.names == ["series", "unit"]
    np.testing.assert_allclose(member.loc[("a", 3)], smooth.mean(["chain", "draw"])[8])


def test_rows_carry_the_name_of_their_series() -> None:
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=12), "who": ["b", "a"] * 6}
    fit = sm.fit("y | series(who) ~ hmm(normal, states=2)", data, **QUICK)
    assert fit.filtering()["series"].values.tolist() == ["b", "a"] * 6
    assert fit.membership().index.name == "obs"


def test_draws_that_exclude_a_new_row_leave_its_state_to_the_others() -> None:
    rng = np.random.default_rng(7)
    fit = sm.fit("rt ~ mix(wald, K=1)", {"rt": 0.5 + rng.wald(1, 2, 60)}, **QUICK)
    row = float(fit.draws["posterior"]["ndt"].quantile(0.9))
    with pytest.warns(sm.ConvergenceWarning, match=r"1 rows or units .* in some draws"):
        answer = fit.membership({"rt": [2.0, row]}, draws=None)
    assert answer.to_numpy().tolist() == [[1.0], [1.0]]
    with pytest.warns(sm.ConvergenceWarning, match="10%"):
        per_draw = fit.responsibility({"rt": [2.0, row]}, draws=None)
    assert float(per_draw.sel(obs=1).isnull().mean()) == pytest.approx(0.1, abs=0.01)


def test_a_bad_row_is_called_as_the_user_calls_it() -> None:
    frame = pd.DataFrame({"y": [1.0, np.inf, 2.0, 5.0]}, index=["a", "b", "c", "d"])
    with pytest.raises(sm.DataError, match=r"first: row 1 \[index 'b'\], infinite"):
        sm.model("y ~ mix(normal, K=2)", frame)


def test_a_fit_that_did_not_converge_says_so() -> None:
    y = np.random.default_rng(1).normal(size=40)
    starts = [{"mu": [c], "sigma": [1.0], "weights": [1.0]} for c in (-900.0, 900.0)]
    with pytest.warns(sm.ConvergenceWarning, match="Chains disagree about") as caught:
        sm.fit(
            "y ~ mix(normal, K=1)",
            {"y": y},
            engine="stanli",
            chains=2,
            warmup=2,
            draws=20,
            seed=1,
            inits=starts,
            priors={"mu": "normal(0, 1000)"},
        )
    assert caught[0].filename == __file__


def test_a_chain_that_does_not_move_is_a_problem(mixture: sm.Fit) -> None:
    still = mixture.draws.map_over_datasets(lambda group: group.copy(deep=True))
    for group in ("posterior", "sample_stats"):
        for name, values in still[group].data_vars.items():
            still[group][name] = values.isel(chain=0, draw=0).broadcast_like(values)
    problems = sm.Fit(mixture.model, still, "none").diagnose().problems
    assert any("did not move" in problem for problem in problems)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mu": [2.0, 1.0]}, "`mu` .* must increase"),
        ({"mu": [1.0, 2.0, 3.0]}, r"must have shape \(2,\), not \(3,\)"),
        ({"mu": "a"}, "must be numbers"),
        ({"sigma": [1.0, -1.0]}, "`sigma` .* must lie between 0 and inf"),
        ({"weights": [0.5, 0.6]}, "must be positive and sum to 1"),
        ({"theta": 1.0}, "no parameter of the model: `theta`"),
    ],
)
def test_starting_points_of_the_user_are_checked(changes: dict[str, Any], words: str) -> None:
    good = {"mu": [-1.0, 1.0], "sigma": [1.0, 1.0], "weights": [0.5, 0.5]}
    y = np.random.default_rng(1).normal(size=20)
    with pytest.raises(sm.SpecError, match=words):
        sm.fit("y ~ mix(normal, K=2)", {"y": y}, **QUICK, inits=[good, good | changes])


def test_draws_can_be_starting_points() -> None:
    rng = np.random.default_rng(2)
    data = {"u": rng.normal(size=60), "v": rng.normal(size=60)}
    data["u"][:30] += 8
    first = sm.fit("cbind(u, v) ~ mix(normal, K=2)", data, **QUICK)
    last = first.draws["posterior"].to_dataset().isel(draw=-1)
    starts = [{str(n): v.values for n, v in last.isel(chain=c).items()} for c in range(2)]
    again = sm.fit("cbind(u, v) ~ mix(normal, K=2)", data, **QUICK, inits=starts)
    assert again.summary()["r_hat"].max() < 1.1


def test_the_way_a_fit_was_drawn_is_kept(mixture: sm.Fit, tmp_path: Path) -> None:
    loaded = sm.load(mixture.save(tmp_path / "fit.nc"))
    run = loaded.draws["sample_stats"].attrs
    assert (run["seed"], run["warmup"], run["adapt_delta"]) == (1, 300, 0.9)


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2026-01-01", periods=40, tz="Europe/Berlin"),
        pd.period_range("2026-01", periods=40, freq="D"),
        pd.Categorical([f"r{i}" for i in range(40)]),
        pd.MultiIndex.from_product([["a", "b"], range(20)]),
        pd.Index([*range(39), "last"]),
        pd.date_range("2026-01-01", periods=40),
    ],
    ids=["zone", "period", "category", "levels", "mixed", "times"],
)
def test_a_fit_of_any_index_is_kept(index: Any, tmp_path: Path) -> None:
    y = np.repeat([-4.0, 4.0], 20) + np.random.default_rng(8).normal(size=40)
    fit = sm.fit("y ~ mix(normal, K=2)", pd.DataFrame({"y": y}, index=index), **QUICK)
    loaded = sm.load(fit.save(tmp_path / "fit.nc"))
    assert loaded.membership().index.tolist() == fit.membership().index.tolist()


def test_a_later_or_damaged_file_is_refused(mixture: sm.Fit, tmp_path: Path) -> None:
    path = mixture.save(tmp_path / "fit.nc")
    tree = xr.load_datatree(path)
    document = json.loads(tree.attrs["stanmix"])
    for change, words in (
        ({"format": 99}, "a later version"),
        ({"spec": {**document["spec"], "emissions": 3}}, "or a damaged one"),
    ):
        tree.attrs["stanmix"] = json.dumps(document | change)
        tree.to_netcdf(tmp_path / "other.nc", engine="netcdf4")
        with pytest.raises(sm.DataError, match=words):
            sm.load(tmp_path / "other.nc")
    for nothing in (None, 3):
        with pytest.raises(sm.DataError, match="named by text or a path"):
            sm.load(nothing)


def test_columns_that_the_prior_keeps_from_being_collinear_are_warned_of() -> None:
    rng = np.random.default_rng(11)
    a = rng.normal(0, 1, 100)
    short = {"engine": "stanli", "seed": 1, "chains": 2, "warmup": 300, "draws": 100}
    formula = "cbind(a, b) ~ mix(normal, K=1)"
    with pytest.warns(sm.IdentifiabilityWarning, match="`a`, `b` are nearly collinear, and"):
        sm.fit(formula, {"a": a, "b": 2 * a + 1}, **short)
    # With a correlation of .99 the prior moves the standard deviations by a hundredth.
    sm.fit(formula, {"a": a, "b": a + rng.normal(0, 0.14, 100)}, **short)


def test_given_starts_of_no_density_are_refused_in_the_users_words() -> None:
    rt = 0.2 + np.random.default_rng(1).wald(0.5, 1, 60)
    late = {"threshold": [1, 2], "drift": [1, 1], "ndt": [50, 60], "weights": [0.5, 0.5]}
    with pytest.raises(sm.SpecError, match="`inits` of chain 1 have density 0"):
        sm.fit("rt ~ mix(wald, K=2)", {"rt": rt}, engine="stanli", chains=1, inits=[late])


def test_an_unknown_engine_is_refused_before_it_is_asked(mixture: sm.Fit) -> None:
    with pytest.raises(sm.EngineError, match="Unknown engine `stanly`"):
        mixture.answered_by("stanly")
