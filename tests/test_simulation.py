"""Draws from priors, and data simulated at parameters: against what is known of both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import stanmix as sm
from tests.cases import CASE_1, CASES, FRAME, UNITS, Case

ALPHA = 1e-4


def prior(formula: str, data: Any = FRAME, draws: int = 4000, **priors: str) -> Any:
    return sm.model(formula, data, priors=priors).sample_prior(draws, seed=1)


def require_drawn_from(values: Any, distribution: Any) -> None:
    assert stats.kstest(np.asarray(values).ravel(), distribution.cdf).pvalue > ALPHA


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_model_has_prior_draws_within_its_bounds_and_data_it_can_be_fitted_to(
    case: Case,
) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors)
    drawn = model.sample_prior(20, seed=1)
    for parameter in model.spec.parameters:
        values = drawn[parameter.name]
        assert np.isfinite(values).all(), parameter.name
        assert parameter.lower is None or (values >= parameter.lower).all()
        assert parameter.upper is None or (values <= parameter.upper).all()
    if model.spec.freq is None:
        simulated = model.simulate(seed=1)
        again = sm.model(case.formula, simulated.data, priors=case.priors)
        assert again.spec.sizes == model.spec.sizes
        assert len(simulated.states) == model.table.n_rows


def test_priors_are_truncated_at_a_parameters_own_bounds_and_not_at_those_of_data() -> None:
    drawn = prior("rt ~ mix(wald, K=2, share=ndt)", ndt="normal(0, 5)", drift="normal(1, 2)")
    require_drawn_from(drawn["drift"], stats.truncnorm(-0.5, np.inf, 1, 2))
    require_drawn_from(drawn["ndt"], stats.halfnorm(0, 5))


def test_an_ordered_vector_is_drawn_from_the_product_of_its_priors_where_it_increases() -> None:
    """Case 1: drawing each element above the one before would move the mean of mu[2] to .14."""
    formula = "y | unit(id) ~ mix(normal(sigma=1), K=3)"
    mu = sm.model(formula, FRAME, priors=CASE_1).sample_prior(20000, seed=1)["mu"]
    rng = np.random.default_rng(2)
    all_draws = rng.normal([-2, 0, 2], 1, (200000, 3))
    kept = all_draws[(np.diff(all_draws) > 0).all(axis=1)]
    assert abs(len(kept) / len(all_draws) - 0.843) < 0.005
    assert abs(float(mu[..., 1].mean())) < 0.03
    for k in range(3):
        assert stats.ks_2samp(mu.values[0, :, k], kept[:, k]).pvalue > ALPHA


def test_exchangeable_elements_are_sorted() -> None:
    mu = prior("y ~ mix(normal, K=2)", mu="normal(0, 1)")["mu"].values[0]
    rng = np.random.default_rng(2)
    assert stats.ks_2samp(mu[:, 0], rng.normal(size=(4000, 2)).min(axis=1)).pvalue > ALPHA


def test_slopes_may_increase_of_which_the_others_do_not() -> None:
    priors = {"beta_mu": "normal(0, 1)"}
    drawn = prior("y ~ mix(normal, K=2, order=mu:x)\nmu ~ rt + x", **priors)["beta_mu"].values[0]
    rng = np.random.default_rng(2)
    lower = rng.normal(size=(4000, 2)).min(axis=1)
    assert stats.ks_2samp(drawn[:, 0, 2], lower).pvalue > ALPHA
    assert (drawn[:, 0, 2] < drawn[:, 1, 2]).all()
    require_drawn_from(drawn[..., 1], stats.norm())


def test_increments_are_added_to_the_first() -> None:
    priors = {"mu[1]": "normal(0, 1)", "diff(mu)": "normal(1, 0.5)"}
    mu = prior("y ~ mix(normal, K=3)", **priors)["mu"].values[0]
    require_drawn_from(mu[:, 0], stats.norm(0, 1))
    require_drawn_from(np.diff(mu), stats.truncnorm(-2, np.inf, 1, 0.5))


def test_probabilities_are_drawn_from_their_dirichlet_rows() -> None:
    drawn = prior("y ~ hmm(normal, states=3)", initial="dirichlet(1, 2, 3)")
    require_drawn_from(drawn["transition"][..., 1, 1], stats.beta(4, 2))
    require_drawn_from(drawn["transition"][..., 1, 0], stats.beta(1, 5))
    require_drawn_from(drawn["initial"][..., 2], stats.beta(3, 3))
    restricted = prior('y ~ hmm(normal, states=3, transition="110;011;001")')["transition"]
    require_drawn_from(restricted[..., 0, 0], stats.beta(4, 1))
    assert (restricted[..., 0, 2] == 0).all()
    assert (restricted[..., 2, 2] == 1).all()


@pytest.mark.parametrize("eta", [1.0, 3.0])
def test_correlations_are_drawn_from_lkj(eta: float) -> None:
    corr = prior("cbind(y, x, rt) ~ mix(normal, K=1)", corr=f"lkj({eta})")["corr"].values[0]
    shape = eta - 1 + 3 / 2
    for i, j in ((0, 1), (0, 2), (1, 2)):
        require_drawn_from((corr[:, 0, i, j] + 1) / 2, stats.beta(shape, shape))


def test_the_guard_of_correlations_is_a_factor_of_their_density() -> None:
    corr = prior("cbind(y, x) ~ mix(normal, K=1)", corr="lkj(1, 0.5)")["corr"].values[0, :, 0, 0, 1]
    grid = np.linspace(-1, 1, 20001)[1:-1]
    density = np.exp(-0.5 * 2 / (1 - grid**2))
    cdf = np.cumsum(density) / density.sum()
    assert stats.kstest(corr, lambda r: np.interp(r, grid, cdf)).pvalue > ALPHA


def test_contrasts_treat_components_alike() -> None:
    beta = prior("y ~ mix(normal, K=3)\nweights ~ x", beta_weights="normal(0, 2)")["beta_weights"]
    slopes = beta.sel(term_weights="x").values[0]
    np.testing.assert_allclose(slopes.sum(axis=1), 0, atol=1e-12)
    for k in range(3):
        require_drawn_from(slopes[:, k], stats.norm(0, 2 * np.sqrt(2 / 3)))


def test_the_intercept_is_where_the_covariates_are_0() -> None:
    drawn = prior("count ~ mix(poisson, K=2)\nrate ~ x + offset(log(rt))")
    beta = drawn["beta_rate"].values
    at_means = beta[..., 0] + beta[..., 1] * FRAME["x"].mean() + np.log(FRAME["rt"]).mean()
    np.testing.assert_allclose(np.exp(at_means), drawn["rate"].values, rtol=1e-10)


def test_a_flat_prior_of_probabilities_can_be_drawn_from() -> None:
    require_drawn_from(prior("y ~ mix(normal, K=2)", weights="flat")["weights"], stats.uniform())


def test_a_flat_prior_of_a_line_cannot_be_drawn_from() -> None:
    with pytest.warns(sm.IdentifiabilityWarning):
        model = sm.model("y ~ mix(normal, K=2)", FRAME, priors={"mu": "flat"})
    with pytest.raises(sm.SpecError, match="`mu` is flat"):
        model.sample_prior(seed=1)


def test_a_parameter_may_be_ordered_where_a_covariate_has_a_value() -> None:
    formula = "y ~ mix(normal, K=2, order=mu(x=2))\nmu ~ x*rt"
    beta = prior(formula, draws=200)["beta_mu"].values[0]
    rt = FRAME["rt"].mean()
    there = beta @ np.array([1.0, 2.0, rt, 2.0 * rt])
    assert (np.diff(there, axis=1) > 0).all()
    elsewhere = beta @ np.array([1.0, -50.0, rt, -50.0 * rt])
    assert not (np.diff(elsewhere, axis=1) > 0).all()


def test_responses_follow_the_families_of_their_states() -> None:
    at = {
        "mu": [-1.0, 4.0],
        "sigma": [0.5, 2.0],
        "nu_2": 5.0,
        "weights": [0.3, 0.7],
    }
    drawn = sm.simulate("y ~ mix(normal + student)", 5000, at, seed=1)
    y, state = drawn.data["y"].to_numpy(), drawn.states.to_numpy()
    assert abs((state == 1).mean() - 0.3) < 0.03
    require_drawn_from(y[state == 1], stats.norm(-1, 0.5))
    require_drawn_from(y[state == 2], stats.t(5, 4, 2))


def test_paths_follow_the_moves_over_gaps_too() -> None:
    transition = np.array([[0.9, 0.1], [0.3, 0.7]])
    at = {"rate": [1.0, 9.0], "initial": [0.0, 1.0], "transition": transition}
    frame = pd.DataFrame({"t": np.cumsum(np.tile([1, 3], 6000)), "s": np.repeat([1, 2], 6000)})
    drawn = sm.simulate("y | series(s) + time(t) ~ hmm(poisson, states=2)", frame, at, seed=1)
    state = drawn.states.to_numpy() - 1
    assert state[0] == state[6000] == 1
    for steps in (1, 3):
        into = np.flatnonzero(frame["t"].diff().to_numpy() == steps)
        share = [state[into][state[into - 1] == k].mean() for k in range(2)]
        expected = np.linalg.matrix_power(transition, steps)[:, 1]
        assert np.abs(share - expected).max() < 0.03


def test_units_share_a_state_and_covariates_move_it() -> None:
    frame = pd.DataFrame({"id": np.repeat(np.arange(4000), 2)})
    frame["x"] = np.where(frame["id"] % 2, 1.0, -1.0)
    at = {
        "mu": [0.0, 50.0],
        "sigma": [1.0, 1.0],
        "beta_weights": [[0.0, 1.0], [0.0, -1.0]],
    }
    drawn = sm.simulate("y | unit(id) ~ mix(normal, K=2)\nweights ~ x", frame, at, seed=1)
    state = drawn.states.to_numpy().reshape(-1, 2)
    assert (state[:, 0] == state[:, 1]).all()
    first = (state[:, 0] == 1)[frame["x"].to_numpy()[::2] == 1].mean()
    assert abs(first - 1 / (1 + np.exp(-2))) < 0.03


def test_covariates_and_groups_move_responses() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=3000), "g": np.tile(["a", "b", "c"], 1000)})
    r = np.array([[-1.0], [0.0], [2.0]])
    at = {"beta_mu": [[1.0, 2.0]], "r_g_mu": r[None], "sigma": [0.1], "weights": [1.0]}
    drawn = sm.simulate("y ~ mix(normal, K=1)\nmu ~ x + (1 | g)", frame, at, seed=1)
    by_group = np.array([-1.0, 0.0, 2.0])[pd.Categorical(frame["g"]).codes]
    residual = drawn.data["y"] - (1 + 2 * frame["x"] + by_group)
    require_drawn_from(residual, stats.norm(0, 0.1))


def test_non_decision_times_are_below_the_shortest_response_of_their_subject() -> None:
    frame = pd.DataFrame({"g": np.repeat(["a", "b"], 2000), "rt": np.repeat([0.5, 1.5], 2000)})
    frame["rt"] += np.random.default_rng(1).gamma(2, 0.2, 4000)
    least = frame.groupby("g")["rt"].min().to_numpy()
    model = sm.model("rt ~ mix(wald, K=1)\nndt ~ (1 | g)", frame)
    at = {"threshold": [1.0], "drift": [2.0], "weights": [1.0]}
    at |= {"ndt": [0.5 * least.min()], "r_g_ndt": [[[0.0], [np.log(3)]]]}
    drawn = model.simulate(at, seed=1).data
    # The odds of the share of the bound are 1, and 3 in the second group.
    for group, ndt in zip("ab", least * [0.5, 0.75], strict=True):
        decision = drawn["rt"][drawn["g"] == group] - ndt
        require_drawn_from(decision, stats.invgauss(0.5, scale=1.0))


def test_what_is_missing_stays_missing_and_labels_become_true() -> None:
    frame = UNITS.assign(y=UNITS["y"].where(UNITS.index % 3 > 0), label=[1.0, *[np.nan] * 23])
    model = sm.model("y | known(label) ~ mix(normal, K=2)", frame)
    at = {"mu": [5.0, 9.0], "sigma": [1.0, 1.0], "weights": [0.001, 0.999]}
    drawn = model.simulate(at, seed=1)
    assert (drawn.data["y"].isna() == frame["y"].isna()).all()
    assert drawn.data["label"].iloc[0] == drawn.states.iloc[0] == 2


@pytest.mark.parametrize(
    ("formula", "data", "at", "message"),
    [
        ("y ~ mix(normal, K=2)", 10, {"mu": [1, 2]}, "needs `sigma`, `weights` too"),
        ("y ~ mix(normal, K=1)", 10, {"mux": [1]}, "no parameter `mux`"),
        (
            "y ~ mix(poisson, K=2)",
            10,
            {"rate": [1, 2, 3], "weights": [0.5, 0.5]},
            "`rate` must have shape",
        ),
        ("y ~ mix(poisson, K=2)", 10, {"rate": [1, 2], "weights": [0.5, 0.4]}, "sum to 1"),
        ("y ~ mix(poisson, K=2)", 10, None, "have no `y` to scale default priors by"),
        (
            "y ~ mix(normal + uniform(high=9))",
            9,
            {"mu_1": 0, "sigma_1": 1, "weights": [0.5, 0.5]},
            "no `y`, from which parameters of a family",
        ),
        ("y ~ mix(poisson, K=2)", -1, None, "number of rows must be"),
        ("y ~ mix(poisson, K=2)", {"x": 3}, None, "0 dimensions"),
        ("y ~ mix(normal, K=1)", 9, {"mu": ["a"], "sigma": [1], "weights": [1]}, "be numbers"),
        ("y ~ mix(normal, K=1)", 9, {"mu": [0], "sigma": [-1], "weights": [1]}, "lie between 0"),
        ("y ~ mix(poisson, K=2)", 9, {"rate": [1, 2], "weights": [-0.5, 1.5]}, "probabilities"),
        (
            "y ~ hmm(poisson, states=2, transition=left_right)",
            9,
            {"rate": [1, 2], "transition": [[0.5, 0.5], [0.5, 0.5]]},
            "be 0 where moves are excluded",
        ),
        (
            "rt | dec(c) ~ mix(rdm, K=1, share=ndt)\nndt ~ x",
            {"x": np.arange(9.0)},
            {"threshold": [1], "drift": [[1, 2]], "beta_ndt": [0, 1], "weights": [1]},
            "whose smallest value bounds",
        ),
        ("y | freq(choice) ~ mix(normal, K=2)", FRAME, None, "count several times"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    formula: str, data: Any, at: Any, message: str
) -> None:
    with pytest.raises(sm.StanmixError, match=message):
        sm.simulate(formula, data, at, seed=1)


def test_the_same_seed_gives_the_same_data() -> None:
    model = sm.model("y ~ mix(normal, K=2)", FRAME)
    one, other = model.simulate(seed=3), model.simulate(seed=3)
    assert one.data.equals(other.data)
    assert one.states.equals(other.states)


def test_shares_are_above_0_and_sum_to_1_even_where_they_are_next_to_nothing() -> None:
    at = {"mu": [[0.998, 0.001, 0.001]], "phi": [0.01], "weights": [1.0]}
    drawn = sm.simulate("cbind(a, b, c) ~ mix(dirichlet, K=1)", 500, at, seed=1).data.to_numpy()
    assert (drawn > 0).all()
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-12)
    assert abs((drawn[:, 0] > 0.5).mean() - 0.998) < 0.01


def test_shares_have_the_moments_of_their_parameters() -> None:
    at = {"mu": [[0.2, 0.3, 0.5]], "beta_phi": [[2.0, 1.0]], "weights": [1.0]}
    x = np.repeat([0.0, 1.0], 20000)
    formula = "cbind(a, b, c) ~ mix(dirichlet, K=1); phi ~ x"
    drawn = sm.simulate(formula, {"x": x}, at, seed=1).data
    for value in (0.0, 1.0):
        shares = drawn.loc[x == value, ["a", "b", "c"]]
        mu = np.array([0.2, 0.3, 0.5])
        np.testing.assert_allclose(shares.mean(), mu, atol=0.01)
        np.testing.assert_allclose(shares.var(), mu * (1 - mu) / (np.exp(2 + value) + 1), rtol=0.05)


@pytest.mark.parametrize("family", ["normal", "student"])
def test_a_common_scale_of_columns_may_vary_by_row(family: str) -> None:
    """With as many rows as columns in one component, which must not be mixed up."""
    at = {"mu": [[0.0, 9.0]], "beta_sigma": [[0.0, 1.0]], "weights": [1.0]}
    at |= {"nu": [30.0]} if family == "student" else {}
    formula = f"cbind(a, b) ~ mix({family}, K=1, cov=spherical, order=none); sigma ~ x"
    draws = [sm.simulate(formula, {"x": [0.0, 5.0]}, at, seed=s).data for s in range(300)]
    spread = np.std([d[["a", "b"]].to_numpy() for d in draws], axis=0)
    assert (np.abs(np.log(spread) - [[0.0, 0.0], [5.0, 5.0]]) < 0.2).all()


@pytest.mark.parametrize("labels", [[1, 2, 3], ["a", "b", "c"]])
def test_a_category_that_does_not_happen_is_one_still(labels: list[Any]) -> None:
    model = sm.model("y ~ mix(categorical, K=1)", {"y": labels * 5})
    drawn = model.simulate({"prob": [[0.5, 0, 0.5]], "weights": [1.0]}, seed=1).data
    (response,) = sm.model("y ~ mix(categorical, K=1)", drawn).spec.responses
    assert response.labels == tuple(map(str, labels))


def test_cutpoints_that_do_not_increase_are_refused() -> None:
    model = sm.model("y ~ mix(ordinal, K=1)", {"y": [1, 2, 3] * 5})
    with pytest.raises(sm.SpecError, match="`cutpoint` must increase"):
        model.simulate({"cutpoint": [[1.0, -1.0]], "weights": [1.0]}, seed=1)


def test_data_do_not_depend_on_what_was_drawn_from_the_prior_with_the_same_seed() -> None:
    priors = {"mu[1]": "normal(-1, 1)", "mu[2]": "normal(1, 1)"}
    model = sm.model("y ~ mix(normal(sigma=1), K=2)", {"y": np.zeros(4)}, priors=priors)
    means, states = [], []
    for seed in range(400):
        drawn = model.sample_prior(1, seed=seed)
        at = {name: drawn[name].values[0, 0] for name in ("mu", "weights")}
        means.append(at["mu"])
        states.append(np.asarray(model.simulate(at, seed=seed).states))
    both = np.corrcoef(np.array(means).T, np.array(states, dtype=float).T)[:2, 2:]
    assert np.abs(both).max() < 4 / np.sqrt(400)


def test_probabilities_from_a_prior_of_small_concentration_are_never_zero() -> None:
    priors = {"weights": "dirichlet(0.01)"}
    model = sm.model("y ~ mix(normal(sigma=1), K=2)", {"y": [0.0, 1.0]}, priors=priors)
    weights = model.sample_prior(4000, seed=1)["weights"].values[0]
    assert (weights > 0).all() and np.allclose(weights.sum(axis=-1), 1)
    # The smaller one is uniform where its distribution function puts it.
    places = stats.beta(0.01, 0.01).cdf(weights.min(axis=1)) * 2
    assert stats.kstest(places, "uniform").pvalue > 0.001
