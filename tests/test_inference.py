"""Fits that are known: reference posteriors, published intervals, planted truths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import stanmix as sm
from stanmix.families import FAMILIES
from tests.cases import CASE_1, CASE_2
from tests.references import (
    PARTICIPANTS,
    hmm_drive_0,
    low_dim_gauss_mix,
    participant,
    require_agreement,
)

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("engine", ["stanli", "cmdstan"])
@pytest.mark.parametrize("make", [low_dim_gauss_mix, hmm_drive_0], ids=lambda f: f.__name__)
def test_posteriordb_posteriors_are_reproduced(
    make, engine: str, reference: Path, request: pytest.FixtureRequest
) -> None:
    known = make(reference)
    runner = request.getfixturevalue("cmdstan") if engine == "cmdstan" else engine
    fit = sm.fit(known.formula, known.data, priors=known.priors, engine=runner, seed=1)
    require_agreement(fit, known)


@pytest.mark.parametrize(
    "letter",
    [pytest.param(p, marks=[pytest.mark.slow] if p != "C" else []) for p in PARTICIPANTS],
)
def test_latent_switches_of_a_participant_are_reproduced(letter: str, reference: Path) -> None:
    known = participant(reference, letter)
    fit = sm.fit(
        known.formula, known.data, priors=known.priors, engine="stanli", seed=1, adapt_delta=0.95
    )
    require_agreement(fit, known)


def test_the_earthquake_posterior_has_the_published_quantiles(reference: Path) -> None:
    counts = pd.read_csv(reference / "classic/earthquakes/data.csv")
    fit = sm.fit(
        "count ~ hmm(poisson, states=3, initial=stationary)",
        counts,
        priors={"rate": "gamma(1, 0.01)", "transition": "dirichlet(1)"},
        engine="stanli",
        seed=1,
    )
    rate = fit.summary().loc[["rate[1]", "rate[2]", "rate[3]"]]
    assert np.abs(rate["median"] - [13.221, 19.836, 29.855]).max() < 0.3
    assert (np.abs(rate["q2.5"] - [11.423, 17.689, 26.419]) < [0.5, 0.5, 0.7]).all()
    assert (np.abs(rate["q97.5"] - [14.875, 21.929, 33.882]) < [0.5, 0.5, 0.7]).all()


def interval(fit: sm.Fit, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 99.9 % interval of a variable."""
    draws = fit.draws["posterior"][name]
    low, high = draws.quantile([0.0005, 0.9995], ("chain", "draw")).values
    return low, high


def test_case_1_recovers_the_truth_it_was_simulated_at() -> None:
    weights, mu, units, replicates = np.array([0.3, 0.5, 0.2]), np.array([-1.8, -0.5, 1.2]), 200, 3
    rng = np.random.default_rng(1)
    component = rng.choice(3, units, p=weights)
    y = rng.normal(mu[component][:, None], 1, (units, replicates))
    data = {"y": y.ravel(), "id": np.repeat(np.arange(units), replicates)}
    formula = "y | unit(id) ~ mix(normal(sigma=1), K=3)"
    fit = sm.fit(formula, data, priors=CASE_1, engine="stanli", seed=1)
    for name, truth in (("mu", mu), ("weights", weights)):
        low, high = interval(fit, name)
        assert ((low < truth) & (truth < high)).all(), name
    assert fit.diagnose().problems == ()


def test_case_2_recovers_the_truth_it_was_simulated_at() -> None:
    stay, mu, times, replicates = np.array([0.8, 0.7]), np.array([-0.8, 0.5]), 100, 3
    rng = np.random.default_rng(1)
    state = [int(rng.integers(2))]
    for _ in range(times - 1):
        state.append(state[-1] if rng.random() < stay[state[-1]] else 1 - state[-1])
    y = rng.normal(mu[state][:, None], 1, (times, replicates))
    data = {"y": y.ravel(), "t": np.repeat(np.arange(times), replicates)}
    formula = "y | unit(t) ~ hmm(normal(sigma=1), states=2, initial=uniform)"
    fit = sm.fit(formula, data, priors=CASE_2, engine="stanli", seed=1)
    transition = np.array([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]])
    for name, truth in (("mu", mu), ("transition", transition)):
        low, high = interval(fit, name)
        assert ((low < truth) & (truth < high)).all(), name
    assert fit.diagnose().problems == ()


def test_the_log_density_is_ordered_labels_apart_that_of_the_unordered_model() -> None:
    rng = np.random.default_rng(3)
    y = np.concatenate([rng.normal(-2, 1, 40), rng.normal(2, 0.7, 60)])
    ordered = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", seed=2)
    free = sm.fit("y ~ mix(normal, K=2, order=none)", {"y": y}, engine="stanli", seed=2)
    a, b = (fit.draws["sample_stats"]["lp"] for fit in (ordered, free))
    # The Jacobian of the ordered vector, log(mu[2] - mu[1]), is part of the one lp alone.
    gap = ordered.draws["posterior"]["mu"].diff("state").squeeze("state")
    spread = float(np.hypot(a.std() / 40, b.std() / 40))
    assert abs(float((a - np.log(gap)).mean() - b.mean())) < 5 * spread


FAMILY_TRUTHS = {
    "laplace": [{"mu": -2.0, "sigma": 0.5}, {"mu": 3.0, "sigma": 1.0}],
    "logistic": [{"mu": -3.0, "sigma": 0.5}, {"mu": 3.0, "sigma": 1.0}],
    "gumbel": [{"mu": -3.0, "sigma": 1.0}, {"mu": 4.0, "sigma": 1.5}],
    "exgaussian": [{"mu": -4.0, "sigma": 0.5, "tau": 1.0}, {"mu": 3.0, "sigma": 1.0, "tau": 2.0}],
    "skew_normal": [
        {"mu": -3.0, "sigma": 1.0, "alpha": 3.0},
        {"mu": 4.0, "sigma": 2.0, "alpha": -3.0},
    ],
    "weibull": [{"scale": 1.0, "shape": 3.0}, {"scale": 6.0, "shape": 5.0}],
    "loglogistic": [{"scale": 1.0, "shape": 5.0}, {"scale": 6.0, "shape": 8.0}],
    "frechet": [{"scale": 1.0, "shape": 4.0}, {"scale": 6.0, "shape": 6.0}],
    "beta": [{"mu": 0.2, "phi": 10.0}, {"mu": 0.7, "phi": 20.0}],
    "negbinomial": [{"mu": 2.0, "shape": 5.0}, {"mu": 30.0, "shape": 10.0}],
    "geometric": [{"prob": 0.05}, {"prob": 0.6}],
    "zero_inflated_poisson": [{"rate": 3.0, "zi": 0.3}, {"rate": 20.0, "zi": 0.1}],
    "zero_inflated_negbinomial": [
        {"mu": 3.0, "shape": 5.0, "zi": 0.3},
        {"mu": 40.0, "shape": 10.0, "zi": 0.1},
    ],
    "zero_inflated_binomial": [{"prob": 0.15, "zi": 0.3}, {"prob": 0.7, "zi": 0.1}],
    "hurdle_poisson": [{"rate": 2.0, "hu": 0.5}, {"rate": 15.0, "hu": 0.2}],
    "hurdle_negbinomial": [
        {"mu": 3.0, "shape": 5.0, "hu": 0.5},
        {"mu": 40.0, "shape": 10.0, "hu": 0.2},
    ],
    "beta_binomial": [{"prob": 0.1, "phi": 20.0}, {"prob": 0.7, "phi": 10.0}],
}


def test_a_mean_direction_of_half_a_turn_is_recovered() -> None:
    """Steps and turns of an animal that turns back where it stays."""
    rng = np.random.default_rng(1)
    state = np.cumsum(rng.random(600) < 0.1) % 2
    step = rng.gamma(np.array([2.0, 5.0])[state], np.array([0.5, 1.0])[state])
    turn = rng.vonmises(np.array([np.pi, 0.2])[state], np.array([1.0, 4.0])[state])
    data = {"step": step, "turn": turn}
    fit = sm.fit(
        "cbind(step, turn) ~ hmm(gamma & von_mises, states=2)", data, engine="stanli", seed=1
    )
    assert fit.diagnose().problems == ()
    mu = fit.draws["posterior"]["mu_turn"]
    away = np.angle(np.exp(1j * (mu - np.array([np.pi, 0.2]))))
    assert (np.abs(away.mean(axis=(0, 1))) < 4 * mu.std(("chain", "draw"))).all()
    assert (mu.std(("chain", "draw")) < 0.3).all()
    low, high = interval(fit, "kappa_turn")
    assert ((low < [1, 4]) & (high > [1, 4])).all()
    member = fit.membership({"step": [1.0, 5.0], "turn": [-3.1, 0.2]})
    assert member.idxmax(axis=1).tolist() == [1, 2]


def test_contaminants_between_fixed_ends_leave_the_others_alone() -> None:
    drawn = sm.simulate(
        "y ~ mix(normal + uniform(low=-20, high=20))",
        400,
        {"mu_1": 1.0, "sigma_1": 0.5, "weights": [0.85, 0.15]},
        seed=1,
    )
    y = drawn.data["y"]
    fit = sm.fit("y ~ mix(normal + uniform)", drawn.data, engine="stanli", seed=1)
    assert fit.diagnose().problems == ()
    for name, truth in (("mu_1", 1.0), ("sigma_1", 0.5), ("weights", np.array([0.85, 0.15]))):
        low, high = interval(fit, name)
        assert ((low < truth) & (truth < high)).all(), name
    # New rows beyond the rows of the fit are none of the uniform component, however far out.
    member = fit.membership({"y": [1.0, 5.0, y.max(), y.max() + 0.01, y.min() - 100]})
    assert (member[1] > 0.9).tolist() == [True, False, False, True, True]
    assert (member[1][3:] == 1).all()


def test_cutpoints_and_slopes_of_ordered_categories_are_recovered() -> None:
    names, rows = ["no", "little", "some", "much"], 500
    cutpoint = np.array([[-2.0, -1.0, 0.5], [0.0, 1.0, 3.0]])
    slope = np.array([[2.0], [-1.0]])
    rng = np.random.default_rng(1)
    x, state = rng.normal(3, 1, rows), np.cumsum(rng.random(rows) < 0.1) % 2
    # The cutpoints hold where covariates are at their means.
    variable = slope[state, 0] * (x - x.mean()) + rng.logistic(size=rows)
    code = (variable[:, None] > cutpoint[state]).sum(axis=1)
    mood = pd.Categorical.from_codes(code, names, ordered=True)
    label = np.where(np.arange(rows) % 25 == 0, state + 1.0, np.nan)
    data = pd.DataFrame({"mood": mood, "x": x, "label": label})
    formula = "mood | known(label) ~ hmm(ordinal, states=2)\nmu ~ x"
    fit = sm.fit(formula, data, engine="stanli", seed=1, warmup=500)
    assert fit.diagnose().problems == ()
    for name, truth in (("cutpoint", cutpoint), ("beta_mu", slope)):
        low, high = interval(fit, name)
        assert ((low < truth) & (truth < high)).all(), name
    posterior = fit.draws["posterior"]
    assert posterior["cut_y"].values.tolist() == ["no|little", "little|some", "some|much"]
    new = pd.DataFrame({"mood": ["much", "no"], "x": [6.0, 6.0], "label": np.nan})
    assert fit.smoothing(new).mean(("chain", "draw")).values.argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("name", FAMILY_TRUTHS)
def test_the_parameters_of_a_family_are_recovered_and_new_rows_told_apart(name: str) -> None:
    """Of an HMM, since that identifies components whose distributions overlap."""
    family, truths = FAMILIES[name], FAMILY_TRUTHS[name]
    rng = np.random.default_rng(1)
    state = np.cumsum(rng.random(300) < 0.1) % 2
    trials = {"trials": np.full(300, 40)} if family.response[1:] else {}
    drawn = [family.reference(**t).rvs(size=300, random_state=rng, **trials) for t in truths]
    data = {"y": np.where(state == 0, *drawn)}
    addition = " | trials(40)" if trials else ""
    formula = f"y{addition} ~ hmm({name}, states=2)"
    fit = sm.fit(formula, data, engine="stanli", seed=1, warmup=500)
    assert fit.diagnose().problems == ()
    for param in family.params:
        low, high = interval(fit, param.name)
        truth = np.array([t[param.name] for t in truths])
        assert ((low < truth) & (truth < high)).all(), param.name
    new = {"y": np.where(state == 0, *drawn)[:200]}
    assert (fit.membership(new).idxmax(axis=1).to_numpy() == state[:200] + 1).mean() > 0.9


@pytest.mark.parametrize("cov", ["full", "diag"])
def test_columns_with_heavy_tails_are_recovered_and_new_rows_told_apart(cov: str) -> None:
    truth = {
        "mu": [[-3.0, 0.0, 1.0], [3.0, 2.0, -1.0]],
        "sigma": [[1.0, 0.5, 2.0], [0.5, 1.0, 1.0]],
        "nu": [2.0, 5.0],
        "weights": [0.4, 0.6],
    }
    corr = np.array([np.eye(3), np.eye(3)])
    corr[0, 0, 1] = corr[0, 1, 0] = 0.7
    corr[1, 1, 2] = corr[1, 2, 1] = -0.5
    at = {**truth, "corr": corr} if cov == "full" else truth
    formula = f"cbind(a, b, c) ~ mix(student, K=2, cov={cov}, order=mu[a])"
    drawn = sm.simulate(formula, 400, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    assert fit.diagnose().problems == ()
    for name in truth:
        low, high = interval(fit, name)
        assert ((low < truth[name]) & (truth[name] < high)).all(), name
    if cov == "full":
        low, high = interval(fit, "corr")
        assert ((low < corr) & (corr < high))[:, ~np.eye(3, dtype=bool)].all()
    new = sm.simulate(formula, 200, at, seed=2)
    found = fit.membership(new.data).idxmax(axis=1).to_numpy()
    assert (found == new.states).mean() > 0.95
    holed = {"a": [-3.0, np.nan], "b": [np.nan, 2.0], "c": [np.nan, np.nan]}
    assert fit.membership(holed).idxmax(axis=1).tolist() == [1, 2]


def test_shares_of_a_whole_are_recovered_and_new_rows_told_apart(tmp_path: Path) -> None:
    truth = {
        "mu": [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]],
        "phi": [8.0, 40.0],
        "transition": [[0.9, 0.1], [0.2, 0.8]],
    }
    formula = "cbind(a, b, c) ~ hmm(dirichlet, states=2, order=phi)"
    drawn = sm.simulate(formula, 400, {**truth, "initial": [0.5, 0.5]}, seed=1)
    data = drawn.data.copy()
    data.iloc[::10] = np.nan
    fit = sm.fit(formula, data, engine="stanli", seed=1, warmup=500)
    assert fit.diagnose().problems == ()
    for name in truth:
        low, high = interval(fit, name)
        assert ((low < truth[name]) & (truth[name] < high)).all(), name
    assert (fit.membership().idxmax(axis=1) == drawn.states).mean() > 0.85
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    new = {"a": [0.2, 0.6, np.nan], "b": [0.2, 0.3, np.nan], "c": [0.6, 0.1, np.nan]}
    log_omega = again.log_omega(new).mean(("chain", "draw"))
    assert log_omega.argmax("state").values[:2].tolist() == [0, 1]
    assert (log_omega.values[2] == 0).all()
    with pytest.raises(sm.DataError, match="must have all or none"):
        again.log_omega({**new, "c": [0.6, 0.1, 0.5]})


CHOICE_TRUTHS = {
    "lognormal_race": {"mu": np.array([0.0, 0.4, 0.8]), "sigma": 0.5, "ndt": 0.3},
    # Of few rows these trade off with the threshold, and chains are long.
    "lba(start=0.8, ndt=0.3)": {
        "threshold": 1.0,
        "start": 0.8,
        "drift": np.array([2.5, 1.0]),
        "ndt": 0.3,
    },
    "wiener": {"threshold": 1.6, "drift": 0.8, "bias": 0.6, "ndt": 0.3},
}


@pytest.mark.parametrize("component", CHOICE_TRUTHS)
def test_a_model_of_choice_is_recovered_beside_known_guesses(component: str) -> None:
    truth, reference = CHOICE_TRUTHS[component], FAMILIES[component.split("(")[0]].reference
    rng = np.random.default_rng(1)
    guesses = rng.random(200) < 0.25
    guess = FAMILIES["wald"].reference(threshold=1.0, drift=5.0, ndt=0.1)
    choices = max(np.size(value) for value in truth.values())
    drawn = [d.rvs(200, random_state=rng, A=max(choices, 2)) for d in (reference(**truth), guess)]
    rt, choice = np.where(guesses, drawn[1].T, drawn[0].T)
    data = {"rt": rt, "choice": choice.astype(int)}
    formula = f"rt | dec(choice) ~ mix(wald(threshold=1, drift=5, ndt=0.1) + {component})"
    fit = sm.fit(formula, data, engine="stanli", seed=1)
    assert fit.diagnose().problems == ()
    free = {name: value for name, value in truth.items() if f"{name}=" not in component}
    for param, value in free.items():
        draws = fit.draws["posterior"][f"{param}_2"]
        low, high = draws.quantile([0.0005, 0.9995], ("chain", "draw")).values
        assert ((low < value) & (value < high)).all(), param
    new = {"rt": [0.25, 3.0], "choice": [1, 1]}
    assert fit.membership(new).idxmax(axis=1).tolist() == [1, 2]
