"""Effects of covariates, against arithmetic on draws, the program, and simulated responses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit, softmax

import stanmix as sm
from tests.test_regression import short_fit

pytestmark = pytest.mark.engine

N = 24
RNG = np.random.default_rng(1)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "u": RNG.normal(size=N) + 1,
        "x": RNG.normal(size=N),
        "w": RNG.uniform(1, 3, N),
        "g": np.tile(["b", "a", "c"], N // 3),
        "c": RNG.poisson(3, N),
        "n": RNG.integers(12, 16, N),
        "k": np.tile([1, 2], N // 2),
        "rt": RNG.uniform(0.4, 2, N),
        "choice": np.tile([1, 2], N // 2),
        "few": np.tile([0.0, 1.0, 3.0], N // 3),
    }
)

GRID = np.array([-1.0, 0.5, 2.0])


def posterior(fit: sm.Fit) -> dict[str, np.ndarray]:
    """Draws, all chains in one."""
    found = fit.draws["posterior"].to_dataset()
    return {str(n): v.values.reshape(-1, *v.shape[2:]) for n, v in found.items()}


def mean_of(table: pd.DataFrame, *shape: int) -> np.ndarray:
    return table["mean"].to_numpy().reshape(shape)


def check(table: pd.DataFrame, draws: np.ndarray) -> None:
    """`draws` is (draw, value, ..)."""
    flat = draws.reshape(len(draws), -1)
    np.testing.assert_allclose(table["mean"], flat.mean(axis=0), rtol=1e-9)
    for name, q in (("q2.5", 0.025), ("median", 0.5), ("q97.5", 0.975)):
        np.testing.assert_allclose(table[name], np.quantile(flat, q, axis=0), rtol=1e-9)


def test_a_location_moves_with_its_coefficients() -> None:
    fit = short_fit("y ~ mix(normal, K=2); mu ~ x * g + w; sigma ~ x", DATA)
    d = posterior(fit)
    terms = fit.draws["posterior"]["term_mu"].values.tolist()
    assert terms == ["Intercept", "x", "g[T.b]", "g[T.c]", "w", "x:g[T.b]", "x:g[T.c]"]
    b = d["beta_mu"]
    expected = b[..., 0] + 2.5 * b[..., 4]
    slope = b[..., 1]
    at = {"w": 2.5, "g": "c"}
    table = fit.effects("x", of="mu", values=GRID, at=at)
    moved = expected + b[..., 3] + (slope + b[..., 6]) * GRID[:, None, None]
    check(table, np.moveaxis(moved, 0, 1))
    assert list(table) == ["value", "state", "mean", "q2.5", "median", "q97.5"]
    assert table["value"].tolist() == GRID.repeat(2).tolist()
    assert table["state"].tolist() == [1, 2] * 3
    assert table.attrs == {"covariate": "x", "of": "mu", "at": {"g": "c", "w": 2.5}}
    sigma = fit.effects("x", of="sigma", values=GRID)
    s = d["beta_sigma"]
    check(sigma, np.exp(s[:, None, :, 0] + s[:, None, :, 1] * GRID[:, None]))


def test_other_covariates_stay_at_their_mean_and_the_first_level() -> None:
    fit = short_fit("y ~ mix(normal, K=2); mu ~ x + g + w", DATA)
    b = posterior(fit)["beta_mu"]
    assert fit.draws["posterior"]["term_mu"].values.tolist()[2:4] == ["g[T.b]", "g[T.c]"]
    means = DATA[["x", "w"]].mean()
    at_means = b[..., 0] + b[..., 1] * means["x"] + b[..., 4] * means["w"]
    table = fit.effects("g", of="mu")
    assert table["value"].tolist() == ["a", "a", "b", "b", "c", "c"]
    zero = np.zeros_like(at_means)
    moved = np.stack([at_means + e for e in (zero, b[..., 2], b[..., 3])], axis=1)
    check(table, moved)
    weights = posterior(fit)["weights"]
    check(fit.effects("g"), (moved * weights[:, None]).sum(axis=-1))
    grid = fit.effects("x")
    assert len(grid) == 50
    assert grid["value"].iloc[[0, -1]].tolist() == [DATA["x"].min(), DATA["x"].max()]
    assert grid.attrs["at"] == {"g": "a", "w": pytest.approx(means["w"])}


def test_rows_that_count_several_times_do_so_in_the_mean() -> None:
    fit = short_fit("y | freq(n) ~ mix(normal, K=2); mu ~ x + w", DATA)
    at = fit.effects("x").attrs["at"]
    assert at["w"] == pytest.approx(np.average(DATA["w"], weights=DATA["n"]))


def test_weights_and_moves_are_softmax_of_their_coefficients() -> None:
    fit = short_fit("y ~ mix(normal, K=3); weights ~ w + g", DATA)
    d = posterior(fit)
    b = d["beta_weights"]
    weights = softmax(b[:, None, :, 0] + b[:, None, :, 1] * GRID[:, None], axis=-1)
    check(fit.effects("w", of="weights", values=GRID), weights)
    check(fit.effects("w", values=GRID), (weights * d["mu"][:, None]).sum(axis=-1))


def test_a_chain_is_averaged_over_where_it_is_in_the_long_run(chain: sm.Fit) -> None:
    d = posterior(chain)
    b = d["beta_transition"]
    moves = softmax(b[:, None, ..., 0] + b[:, None, ..., 1] * GRID[:, None, None], axis=-1)
    table = chain.effects("x", of="transition", values=GRID, draws=None)
    check(table, moves)
    assert list(table)[:3] == ["value", "state", "state_to"]
    # What stays as it is under a move, and sums to 1.
    balance = np.eye(3) - np.swapaxes(moves, -1, -2) + 1
    share = np.linalg.solve(balance, np.ones((*moves.shape[:-1], 1)))[..., 0]
    expected = (share * d["rate"][:, None]).sum(axis=-1)
    check(chain.effects("x", values=GRID, draws=None), expected)
    first = d["beta_initial"]
    start = softmax(first[:, None, :, 0] + first[:, None, :, 1] * GRID[:, None], axis=-1)
    table = chain.effects("b", values=GRID, draws=None)
    assert table.attrs["of"] == "initial"
    check(table, start)


@pytest.mark.parametrize(
    ("terms", "covariate"),
    [
        ("poly(x, 2) + bs(w, df=4) * g", "w"),
        ("I(x^2) + scale(w) + center(x):w", "x"),
        ("0 + x + g", "x"),
        ("C(k) * x + offset(log(w))", "k"),
        ("C(k) * x + offset(log(w))", "w"),
    ],
)
def test_effects_are_what_the_program_works_out(terms: str, covariate: str) -> None:
    fit = short_fit(f"y ~ mix(normal, K=2, order=none); mu ~ {terms}", DATA)
    values = [1, 2] if covariate == "k" else DATA[covariate].quantile([0.1, 0.6]).tolist()
    table = fit.effects(covariate, of="mu", values=values, draws=1)
    sigma = posterior(fit)["sigma"][0]
    for k in range(2):
        mu = table.loc[table["state"] == k + 1, "mean"].to_numpy()
        rows = pd.DataFrame({"y": mu, "x": DATA["x"].mean(), "w": DATA["w"].mean(), "g": "a"})
        rows = rows.assign(k=1).assign(**{covariate: values})
        density = fit.log_omega(rows, draws=1).values[0, 0, :, k]
        np.testing.assert_allclose(density, stats.norm(0, sigma[k]).logpdf(0), rtol=1e-9)


def test_a_parameter_of_one_component_is_asked_for_by_any_of_its_names() -> None:
    fit = short_fit("y ~ mix(normal, K=2); mu[2] ~ x", DATA)
    d = posterior(fit)
    b = d["beta_mu_2"]
    second = b[:, None, 0] + b[:, None, 1] * GRID
    both = np.stack([np.broadcast_to(d["mu"][:, :1], second.shape), second], axis=-1)
    check(fit.effects("x", of="mu", values=GRID), both)
    table = fit.effects("x", of="mu_2", values=GRID)
    check(table, second)
    assert set(table["state"]) == {2}
    check(fit.effects("x", values=GRID), (both * d["weights"][:, None]).sum(axis=-1))
    fit = short_fit("y ~ mix(normal + student, K=2); nu ~ x", DATA)
    b = posterior(fit)["beta_nu_2"]
    table = fit.effects("x", of="nu", values=GRID)
    check(table, 1 + np.exp(b[:, None, 0] + b[:, None, 1] * GRID))
    assert "state" not in table
    shared = short_fit("y ~ mix(normal, K=2, share=sigma); sigma ~ x", DATA)
    b = posterior(shared)["beta_sigma"]
    check(
        shared.effects("x", of="sigma", values=GRID), np.exp(b[:, None, 0] + b[:, None, 1] * GRID)
    )


def test_several_columns_have_an_effect_each() -> None:
    fit = short_fit("cbind(y, u) ~ mix(normal, K=2); mu ~ x", DATA)
    d = posterior(fit)
    b = d["beta_mu"]
    mu = b[:, None, ..., 0] + b[:, None, ..., 1] * GRID[:, None, None]
    table = fit.effects("x", of="mu", values=GRID)
    assert list(table)[:3] == ["value", "state", "column"]
    assert table["column"].tolist()[:2] == ["y", "u"]
    check(table, mu)
    table = fit.effects("x", values=GRID)
    assert list(table)[:2] == ["value", "column"]
    check(table, (mu * d["weights"][:, None, :, None]).sum(axis=2))


def test_columns_without_a_mean_are_left_out() -> None:
    fit = short_fit("cbind(c, g) ~ mix(poisson & categorical, K=2); rate ~ x", DATA)
    d = posterior(fit)
    b = d["beta_rate_c"]
    rate = np.exp(b[:, None, :, 0] + b[:, None, :, 1] * GRID[:, None])
    check(fit.effects("x", values=GRID), (rate * d["weights"][:, None]).sum(axis=-1))
    check(fit.effects("x", of="rate", values=GRID), rate)


def test_categories_and_accumulators_have_their_names() -> None:
    fit = short_fit("g ~ mix(categorical, K=2); prob ~ x", DATA)
    b = posterior(fit)["beta_prob"]
    table = fit.effects("x", values=GRID)
    assert table.attrs["of"] == "prob"
    assert table["category_y"].tolist()[:3] == ["a", "b", "c"]
    check(table, softmax(b[:, None, ..., 0] + b[:, None, ..., 1] * GRID[:, None, None], axis=-1))
    fit = short_fit("rt | dec(choice) ~ mix(rdm, K=2); drift ~ x; threshold ~ x", DATA)
    b = posterior(fit)["beta_drift"]
    table = fit.effects("x", of="drift", values=GRID)
    check(table, np.exp(b[:, None, ..., 0] + b[:, None, ..., 1] * GRID[:, None, None]))
    with pytest.raises(sm.SpecError, match="family `rdm` declares no mean.*\n.*`threshold`"):
        fit.effects("x")


def test_effects_are_those_where_groups_have_none() -> None:
    fit = short_fit("y ~ mix(normal, K=2); mu ~ x + (1 + w | g)", DATA)
    b = posterior(fit)["beta_mu"]
    table = fit.effects("x", of="mu", values=GRID)
    check(table, b[:, None, :, 0] + b[:, None, :, 1] * GRID[:, None])
    assert table.attrs["at"] == {}
    for name in ("g", "w"):
        with pytest.raises(sm.SpecError, match=f"`{name}` makes a difference between groups alone"):
            fit.effects(name)


def test_a_non_decision_time_keeps_the_bound_of_its_level_or_the_least_of_groups() -> None:
    fit = short_fit("rt ~ mix(wald, K=2, share=ndt); ndt ~ g", DATA)
    b, least = posterior(fit)["beta_ndt"], DATA.groupby("g")["rt"].min()
    eta = np.stack([b[..., 0], b[..., 0] + b[..., 1], b[..., 0] + b[..., 2]], axis=1)
    check(fit.effects("g", of="ndt"), least.to_numpy() * expit(eta))
    fit = short_fit("rt ~ mix(wald, K=2, share=ndt); ndt ~ x + (1 | g)", DATA)
    b = posterior(fit)["beta_ndt"]
    eta = b[:, None, 0] + b[:, None, 1] * GRID
    check(fit.effects("x", of="ndt", values=GRID), DATA["rt"].min() * expit(eta))


@pytest.mark.parametrize(
    ("formula", "columns"),
    [
        ("y ~ mix(skew_normal + gumbel, order=none); mu ~ x; sigma ~ x; weights ~ x", ["y"]),
        ("c | trials(n) ~ mix(zero_inflated_binomial, K=2); prob ~ x; zi ~ x", ["c"]),
        ("rt | dec(choice) ~ mix(wiener + wald, order=none); drift ~ x; threshold ~ x", ["rt"]),
        ("cbind(y, c) ~ mix(normal & hurdle_poisson, K=2); rate ~ x; hu ~ x", ["y", "c"]),
    ],
)
def test_the_mean_of_the_response_is_that_of_simulated_ones(formula: str, columns: Any) -> None:
    fit = short_fit(formula, DATA)
    table = fit.effects("x", values=[0.5], draws=1)
    many = 20_000
    row = DATA.assign(x=0.5, n=fit.effects("x").attrs["at"].get("n", 1))
    rows = pd.concat([row] * (many // N), ignore_index=True).astype({"n": int})
    drawn = fit.predict(rows, draws=1, seed=1)
    for i, column in enumerate(columns):
        values = drawn[column].values.astype(float).ravel()
        error = values.std() / np.sqrt(len(values))
        assert abs(values.mean() - table["mean"].iloc[i]) < 4 * error


def test_trials_stay_at_their_mean_as_a_whole_number() -> None:
    fit = short_fit("c | trials(n) ~ mix(binomial, K=2); prob ~ x", DATA)
    d = posterior(fit)
    b = d["beta_prob"]
    prob = expit(b[:, None, :, 0] + b[:, None, :, 1] * GRID[:, None])
    share = (prob * d["weights"][:, None]).sum(axis=-1)
    table = fit.effects("x", values=GRID)
    check(table, round(DATA["n"].mean()) * share)
    check(fit.effects("x", values=GRID, at={"n": 30}), 30 * share)
    check(fit.effects("n", values=[4, 9], at={"x": 2.0}), share[:, [2]] * [4, 9])
    assert fit.effects("n")["value"].tolist() == sorted(DATA["n"].unique())
    fixed = short_fit("c | trials(20) ~ mix(binomial, K=2); prob ~ x", DATA)
    of_one = fixed.effects("x", of="prob", values=[1.0], draws=1)["mean"].to_numpy()
    weights = posterior(fixed)["weights"][0]
    mean = fixed.effects("x", values=[1.0], draws=1)["mean"].iloc[0]
    assert mean == pytest.approx(20 * of_one @ weights)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"covariate": "z"}, sm.SpecError, "no covariate 'z'; it has `x`, `g`"),
        ({"covariate": ["x"]}, sm.SpecError, "no covariate"),
        ({"of": "sigma"}, sm.SpecError, "`sigma` does not depend on `x`; what depends on `x` is"),
        ({"of": "sgma"}, sm.SpecError, "no 'sgma' that varies"),
        ({"of": 3}, sm.SpecError, "no 3 that varies"),
        ({"at": {"zz": 1}}, sm.SpecError, "no covariate 'zz'"),
        ({"at": {"x": 1}}, sm.SpecError, "`at` holds other covariates; give values of `x`"),
        ({"at": "g"}, sm.SpecError, "`at` maps covariates to values"),
        ({"at": {"g": "d"}}, sm.DataError, "`g` has the levels `a`, `b`, `c`, and not 'd'"),
        ({"covariate": "g", "values": [3]}, sm.DataError, "has the levels .* and not 3"),
        ({"values": []}, sm.DataError, "a list of one or more values of `x`"),
        ({"values": [[1.0], [2.0]]}, sm.DataError, "a list of one or more values of `x`"),
        ({"values": [1.0, np.nan]}, sm.DataError, "`x` takes finite numbers, not nan"),
        ({"values": ["a"]}, sm.DataError, "`x` takes finite numbers, not 'a'"),
        ({"values": [None]}, sm.DataError, "`x` takes finite numbers, not None"),
        ({"draws": 0}, sm.SpecError, "`draws` must be"),
    ],
)
def test_what_makes_no_sense_is_refused(
    regression: sm.Fit, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        regression.effects(**{"covariate": "x", **asked})


@pytest.fixture(scope="module")
def regression() -> sm.Fit:
    return short_fit("y ~ mix(normal, K=2); mu ~ x * g", DATA)


def test_a_response_without_a_mean_is_refused(mixture: sm.Fit) -> None:
    with pytest.raises(sm.SpecError, match="no covariates"):
        mixture.effects("x")
    onwards = short_fit("y ~ hmm(normal, states=2, transition=left_right); mu ~ x", DATA)
    with pytest.raises(sm.SpecError, match="no long run"):
        onwards.effects("x", of="response")
    assert onwards.effects("x").attrs["of"] == "mu"
    second = short_fit("y | trunc(lb=-9) ~ mix(normal, K=2); mu[2] ~ x", DATA)
    assert second.effects("x").attrs["of"] == "mu_2"
    fit = short_fit("y | trunc(lb=-9) ~ mix(normal, K=2); mu ~ x; sigma ~ x", DATA)
    with pytest.raises(sm.SpecError, match="truncated: the mean of what is seen is not known"):
        fit.effects("x")
    fit = short_fit("c | trials(n) ~ mix(binomial, K=2)", DATA)
    with pytest.raises(sm.DataError, match="`n` counts trials in whole numbers, not 2.5"):
        fit.effects("n", values=[2.5])
    series = short_fit("y | series(g) ~ hmm(normal, states=2); initial ~ few; mu ~ x", DATA)
    with pytest.raises(sm.SpecError, match="does not depend on `few` in the long run"):
        series.effects("few", of="response")


def test_a_loaded_fit_has_the_same_effects(tmp_path: Any) -> None:
    fit = short_fit("y ~ mix(normal, K=2); mu ~ x + g", DATA)
    table = sm.load(fit.save(tmp_path / "fit.nc")).effects("x")
    pd.testing.assert_frame_equal(table, fit.effects("x"))


def test_what_leaves_the_mean_as_it_is_has_an_effect_on_its_parameter() -> None:
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=20), "x": rng.normal(size=20)}
    fit = short_fit("y ~ mix(normal, K=1); sigma ~ x", data)
    assert fit.effects("x").attrs["of"] == "sigma"
    assert fit.effects("x", values=[3]).attrs["of"] == "sigma"
    assert fit.effects("x", of="response")["mean"].nunique() == 1
    counts = {"y": rng.poisson(3, 20), "x": rng.normal(size=20)}
    fit = short_fit("y ~ mix(negbinomial, K=1); shape ~ x", counts)
    assert fit.effects("x").attrs["of"] == "shape"
