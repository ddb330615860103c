"""Weights, first states and moves that vary, or are restricted: against enumeration."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, logsumexp

import stanmix as sm
from stanmix.engines import engine
from tests.cases import UNITS
from tests.test_regression import evaluated, points, require_recovered

pytestmark = pytest.mark.engine

FEW = UNITS.iloc[[0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]].reset_index(drop=True)
FEW["when"] = [0, 1, 3, 4, 7, 8, 9, 11, 12, 13, 14, 20]
FEW["z"] = FEW["y"].where(FEW.index % 3 != 1)
EXPLICIT = {"mu": "normal(0, 5)", "sigma": "inv_gamma(3, 2)"}

FORMULAS = {
    "mixture": "y | unit(id) ~ mix(normal, K=3)\nweights ~ a + (1 | subject)",
    "moves": "y | series(subject) ~ hmm(normal, states=3)\ntransition ~ x; initial ~ b",
    "groups": "y | series(subject) ~ hmm(normal, states=2)\ntransition ~ x + (1 | choice)",
    "left_right": "y | series(subject) ~ hmm(normal, states=3, transition=left_right)",
    "restricted": 'y ~ hmm(normal, states=3, transition="110;011;100")\ntransition ~ x',
    "units": "y | unit(id) + series(subject) ~ hmm(normal, states=3)\ntransition ~ a",
    "gaps": "y | series(subject) + time(when) ~ hmm(normal, states=3)",
    "gaps_restricted": 'y | time(when) ~ hmm(normal, states=3, transition="110;011;001")',
    "missing": "z | series(subject) ~ hmm(normal, states=2)\ntransition ~ x",
    "uniform": 'y ~ hmm(normal, states=2, transition="11;01", initial=uniform)',
}


def built(formula: str, data: pd.DataFrame) -> sm.Model:
    return sm.model(formula, data, priors=EXPLICIT)


def by_hand(model: sm.Model, d: Mapping[str, Any], data: pd.DataFrame) -> dict[str, Any]:
    """Log probabilities of components or states from the coefficients that are reported."""
    spec = model.spec
    found: dict[str, Any] = {}
    for name, column in (("weights", "a"), ("initial", "b")):
        if spec.varies(name):
            b = d[f"beta_{name}"]
            eta = b[:, 0] + np.outer(data[column], b[:, 1])
            if f"r_subject_{name}" in d:
                eta += d[f"r_subject_{name}"][:, (data["subject"] == "b").astype(int), 0].T
            found[name] = log_softmax(eta, axis=1)
    if "transition" in d or any(n.startswith("transition_from") for n in d):
        moves = np.where(np.array(spec.moves, bool), 0.0, -np.inf)
        if spec.varies("transition"):
            b, x = d["beta_transition"], data["a" if spec.unit else "x"].to_numpy()
            eta = b[:, :, 0] + x[:, None, None] * b[:, :, 1]
            if "r_choice_transition" in d:
                eta += np.moveaxis(d["r_choice_transition"][:, :, data["choice"] - 1, 0], 2, 0)
            found["transition"] = log_softmax(eta + moves, axis=2)
        else:
            steps = model.rows.steps
            with np.errstate(divide="ignore"):
                powers = [np.linalg.matrix_power(d["transition"], int(n)) for n in steps]
                found["transition"] = np.log(powers)
    return found


def enumerated(model: sm.Model, d: Mapping[str, Any], data: pd.DataFrame) -> float:
    """Log likelihood, by adding up all paths of states."""
    spec, K, omega = model.spec, model.spec.K, d["log_omega"]
    found = by_hand(model, d, data)
    if spec.unit:
        heads = np.flatnonzero(~data["id"].duplicated())
        omega = np.add.reduceat(omega, heads)
        found = {name: values[heads] for name, values in found.items()}
        data = data.iloc[heads]
    if spec.kind == "mix":
        return float(logsumexp(found["weights"] + omega, axis=1).sum())
    total = 0.0
    series = [data["subject"]] if spec.series else [np.zeros(len(data))]
    for _, rows in pd.Series(range(len(data))).groupby(np.asarray(series[0])):
        places = rows.to_numpy()
        first = {"first": [0.0, *[-np.inf] * (K - 1)], "uniform": [-np.log(K)] * K}
        initial = first.get(str(spec.initial))
        if spec.varies("initial"):
            initial = found["initial"][places[0]]
        elif initial is None:
            initial = np.log(d["initial"])
        paths = [
            initial[path[0]]
            + sum(omega[t, k] for t, k in zip(places, path, strict=True))
            + sum(
                found["transition"][t, i, j]
                for t, i, j in zip(places[1:], path[:-1], path[1:], strict=True)
            )
            for path in itertools.product(range(K), repeat=len(places))
        ]
        total += float(logsumexp(paths))
    return total


@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
def test_the_likelihood_is_the_sum_over_all_paths(formula: str) -> None:
    """Two data sets differ in density as they do in likelihood, since priors stay the same."""
    data = FEW if "series" in formula or "unit" in formula else FEW.iloc[:7]
    changed = data.assign(y=-0.5 * data["y"] + 1, z=-0.5 * data["z"] + 1)
    model, other = built(formula, data), built(formula, changed)
    regressions = model.spec.regressions
    names = [r.coefficients for r in regressions if r.columns]
    names += [f"r_{effect.name}" for effect in model.spec.group_effects]
    names += ["transition"] if model.spec.allowed else []
    at = points(model)
    runner = engine("stanli")
    first, second = evaluated(model, data, names), evaluated(model, other.table.columns, names)
    for i in range(len(first)):
        here = {name: values[i] for name, values in at.items()}
        density = [runner.log_density(m.program, m.data, here)[0] for m in (model, other)]
        likelihood = [enumerated(model, d[i], data) for d in (first, second)]
        assert density[0] - density[1] == pytest.approx(likelihood[0] - likelihood[1], abs=1e-8)
        gradient = runner.log_density(model.program, model.data, here)[1]
        assert np.isfinite(gradient).all()


def test_moves_that_are_not_allowed_keep_a_path_of_any_probability() -> None:
    """A state of probability below 1e-308 is the only one that later rows admit."""
    y = np.concatenate([np.full(60, 8.0), np.zeros(300)])
    formula = 'y ~ hmm(normal(sigma=1), states=2, transition="11;01")'
    model = sm.model(formula, {"y": y}, priors={"mu": "normal(0, 5)", "initial": "flat"})
    here = {
        "mu": np.array([0.0, 8.0]),
        "initial": np.array([0.5, 0.5]),
        "transition_from_1": np.array([0.5, 0.5]),
        "transition_from_2": np.array([1.0]),
    }
    other = model.fit.__self__
    low = engine("stanli").log_density(model.program, model.data, here)[0]
    shorter = sm.model(formula, {"y": y[:-1]}, priors={"mu": "normal(0, 5)", "initial": "flat"})
    high = engine("stanli").log_density(shorter.program, shorter.data, here)[0]
    assert other is model
    # One more row at 0 costs a stay in state 1 and its density there.
    assert low - high == pytest.approx(np.log(0.5) - 0.5 * np.log(2 * np.pi), abs=1e-8)


def softmax_choice(rng: np.random.Generator, eta: np.ndarray) -> np.ndarray:
    return np.array([rng.choice(len(row), p=np.exp(row)) for row in log_softmax(eta, axis=1)])


def test_weights_that_vary_are_recovered_and_new_rows_told_apart() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=600)
    b = np.array([[0.3, 1.0], [-0.3, -1.0]])
    component = softmax_choice(rng, b[:, 0] + np.outer(x, b[:, 1]))
    y = rng.normal(np.array([-2.0, 1.0])[component], 1)
    data = {"y": y, "x": x}
    fit = sm.fit("y ~ mix(normal, K=2)\nweights ~ x", data, engine="stanli", seed=1)
    require_recovered(fit, {"beta_weights": b, "mu": np.array([-2.0, 1.0])})
    # Where a row says nothing, the covariate does.
    share = fit.membership({"y": [-0.5, -0.5], "x": [2.0, -2.0]})
    assert share[1][0] > 0.9
    assert share[1][1] < 0.2


def test_moves_that_vary_are_recovered_and_new_series_answered() -> None:
    rng = np.random.default_rng(2)
    x = np.repeat(rng.normal(size=150), 10)
    b = np.zeros((2, 2, 2))
    b[0, 1], b[1, 0] = [-2.0, 1.5], [-1.5, -1.0]
    state = [0]
    for t in range(1, len(x)):
        eta = b[state[-1], :, 0] + b[state[-1], :, 1] * x[t]
        state.append(int(softmax_choice(rng, eta[None])[0]))
    y = rng.poisson(np.array([2.0, 8.0])[state])
    fit = sm.fit(
        "y ~ hmm(poisson, states=2)\ntransition ~ x", {"y": y, "x": x}, engine="stanli", seed=1
    )
    assert fit.diagnose().problems == ()
    beta = fit.draws["posterior"]["beta_transition"]
    low, high = beta.quantile([0.0005, 0.9995], ("chain", "draw")).values
    for i, j in ((0, 1), (1, 0)):
        assert (low[i, j] < b[i, j]).all()
        assert (b[i, j] < high[i, j]).all()
    assert (beta.values[..., 0, 0, :] == 0).all()
    new = {"y": [2, 5], "x": [0.0, 3.0]}
    other = {"y": [2, 5], "x": [0.0, -3.0]}
    moved = [fit.filtering(d).mean(("chain", "draw")).values[1, 1] for d in (new, other)]
    assert moved[0] > 0.8
    assert moved[1] < 0.4


def test_states_of_a_left_right_chain_are_passed_in_order() -> None:
    rng = np.random.default_rng(3)
    y = np.concatenate([rng.normal(m, 1, 60) for m in (3.0, 0.0, 5.0)])
    fit = sm.fit(
        "y ~ hmm(normal, states=3, transition=left_right)", {"y": y}, engine="stanli", seed=1
    )
    assert fit.diagnose().problems == ()
    mu = fit.draws["posterior"]["mu"].mean(("chain", "draw")).values
    assert np.abs(mu - [3, 0, 5]).max() < 0.6
    path = fit.viterbi(draws=50).values
    assert (np.diff(path, axis=2) >= 0).all()
    assert (path[..., 0] == 1).all()


def test_groups_of_a_slope_are_recovered_at_the_defaults() -> None:
    rng = np.random.default_rng(4)
    group, x = np.repeat(np.arange(20), 50), rng.normal(size=1000)
    component = rng.integers(3, size=1000)
    r = rng.normal(0, 0.8, (3, 20))
    slope = np.array([1.0, -1.0, 0.5])[component] + r[component, group]
    y = np.array([-5.0, 0.0, 5.0])[component] + slope * x + rng.normal(0, 1, 1000)
    data = {"y": y, "x": x, "g": group}
    fit = sm.fit("y ~ mix(normal, K=3)\nmu ~ x + (0 + x | g)", data, engine="stanli", seed=1)
    assert fit.draws["sample_stats"]["diverging"].sum() <= 4
    assert fit.diagnose().problems == ()
    effects = fit.draws["posterior"]["r_g_mu"].squeeze("effect_g_mu")
    mean, sd = effects.mean(("chain", "draw")), effects.std(("chain", "draw"))
    assert np.abs((mean - r) / sd).max() < 4
    spread = fit.draws["posterior"]["sd_g_mu"].mean(("chain", "draw"))
    assert (np.abs(spread - 0.8) < 0.4).all()


def test_groups_of_weights_are_recovered() -> None:
    rng = np.random.default_rng(12)
    frame = pd.DataFrame({"g": np.repeat(np.arange(12), 30)})
    free = rng.normal(0, 1, 12)
    r = np.stack([free, -free])[..., None] / np.sqrt(2)
    at = {"mu": [-3.0, 3.0], "sigma": [1.0, 1.0], "weights": [0.6, 0.4], "r_g_weights": r}
    formula = "y ~ mix(normal, K=2)\nweights ~ (1 | g)"
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {name: np.array(value) for name, value in at.items()})
    low, high = fit.draws["posterior"]["sd_g_weights"].quantile([0.0005, 0.9995]).values
    assert low < 1 < high
    # Where a row says nothing, its group does.
    tall, small = int(free.argmax()), int(free.argmin())
    share = fit.membership({"y": [0.0, 0.0], "g": [tall, small]})[1].to_numpy()
    assert share[0] - share[1] > 0.4


def test_first_states_that_vary_by_series_are_recovered() -> None:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"s": np.repeat(np.arange(300), 4)})
    frame["x"] = np.repeat(rng.normal(size=300), 4)
    at = {
        "rate": [1.0, 12.0],
        "beta_initial": [[0.4, 1.0], [-0.4, -1.0]],
        "transition": [[0.8, 0.2], [0.3, 0.7]],
    }
    formula = "y | series(s) ~ hmm(poisson, states=2)\ninitial ~ x"
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    require_recovered(fit, {name: np.array(value) for name, value in at.items()})
    new = {"y": [np.nan, np.nan], "s": ["a", "b"], "x": [2.0, -2.0]}
    first = fit.filtering(new).mean(("chain", "draw")).values[:, 0]
    assert first[0] > 0.9
    assert first[1] < 0.2


@pytest.mark.slow
def test_groups_of_moves_are_recovered() -> None:
    rng = np.random.default_rng(9)
    frame = pd.DataFrame({"g": np.repeat(np.arange(12), 120)})
    r = np.zeros((2, 2, 12, 1))
    r[0, 1, :, 0], r[1, 0, :, 0] = rng.normal(0, 1, (2, 12))
    at = {
        "rate": [1.0, 12.0],
        "initial": [0.5, 0.5],
        "transition": [[0.85, 0.15], [0.25, 0.75]],
        "r_g_transition": r,
    }
    formula = "y | series(g) ~ hmm(poisson, states=2)\ntransition ~ (1 | g)"
    drawn = sm.simulate(formula, frame, at, seed=1)
    fit = sm.fit(formula, drawn.data, engine="stanli", seed=1, warmup=500)
    assert fit.diagnose().problems == ()
    effects = fit.draws["posterior"]["r_g_transition"].isel(effect_g_transition=0)
    for i, j in ((0, 1), (1, 0)):
        ours = effects.isel(state=i, state_to=j)
        mean, sd = ours.mean(("chain", "draw")), ours.std(("chain", "draw"))
        assert np.abs((mean - r[i, j, :, 0]) / sd).max() < 4
    assert 0.5 < float(fit.draws["posterior"]["sd_g_transition"].mean()) < 1.6
