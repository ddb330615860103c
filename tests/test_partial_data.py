"""Rows that are partly known: missing responses, known labels, rows that count several times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from scipy.special import logsumexp

import stanmix as sm
from stanmix.engines import engine
from tests.cases import FRAME
from tests.test_regression import evaluated, points, require_recovered

pytestmark = pytest.mark.engine

EXPLICIT = {"mu": "normal(0, 5)", "sigma": "inv_gamma(3, 2)"}


@pytest.mark.parametrize("fitted_with", ["whole", "holed"])
@pytest.mark.parametrize("formula", ["y ~ mix(normal, K=2)\nmu ~ rt", "y ~ hmm(student, states=2)"])
def test_a_row_without_a_response_says_nothing_and_changes_no_other(
    formula: str, fitted_with: str
) -> None:
    holed = FRAME.assign(y=FRAME["y"].where(FRAME.index % 5 != 1))
    model = sm.model(formula, FRAME if fitted_with == "whole" else holed)
    # What a fit does with rows that it had no like of, here without a fit.
    made = sm.Fit(model, fake_draws(model), "none")
    with_holes = made.log_omega(holed.iloc[:8]).values
    whole = made.log_omega(FRAME.iloc[:8]).values
    gone = np.isnan(holed["y"].to_numpy()[:8])
    assert (with_holes[:, :, gone] == 0).all()
    np.testing.assert_allclose(with_holes[:, :, ~gone], whole[:, :, ~gone], rtol=1e-12)


def fake_draws(model: sm.Model) -> Any:
    """Draws of what the program samples, as a fit keeps them."""
    sampled = {
        name: (("chain", "draw", *(f"{name}_{i}" for i in range(v.ndim - 1))), v[None])
        for name, v in points(model).items()
    }
    along = {"chain": [0], "draw": np.arange(len(next(iter(points(model).values()))))}
    stats = xr.Dataset({}, attrs={"seed": 1})
    posterior = xr.Dataset(sampled).assign_coords(along)
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


@pytest.mark.parametrize("mean", ["", "\nmu ~ z"])
@pytest.mark.parametrize("family", ["normal", "student"])
@pytest.mark.parametrize("cov", ["full", "tied", "diag", "spherical"])
def test_a_vector_that_lacks_columns_has_the_marginal_density_of_the_others(
    cov: str, family: str, mean: str
) -> None:
    holed = FRAME.assign(
        y=FRAME["y"].where(FRAME.index % 5 != 1),
        x=FRAME["x"].where(FRAME.index % 4 != 2),
        rt=FRAME["rt"].where(FRAME.index % 3 != 1),
        z=FRAME["positive"],
    )
    model = sm.model(f"cbind(y, x, rt) ~ mix({family}, K=2, cov={cov}){mean}", holed)
    values = holed[["y", "x", "rt"]].to_numpy()
    names = ["mu", *(["corr"] if cov in ("full", "tied") else []), *(["beta_mu"] if mean else [])]
    for d in evaluated(model, holed, names):
        for k in range(2):
            sigma = np.broadcast_to(d["sigma"] if cov == "tied" else d["sigma"][k], 3)
            corr = {"full": lambda d=d, k=k: d["corr"][k], "tied": lambda d=d: d["corr"]}
            sigma = sigma[:, None] * sigma * corr.get(cov, lambda: np.eye(3))()
            mu = np.tile(d["mu"][k], (24, 1))
            if mean:
                slope = d["beta_mu"][k]
                mu = slope[:, 0] + slope[:, 1] * holed["z"].to_numpy()[:, None]
            for row, location, log_omega in zip(values, mu, d["log_omega"][:, k], strict=True):
                has = np.flatnonzero(~np.isnan(row))
                marginal = 0.0
                if len(has):
                    own = location[has], sigma[np.ix_(has, has)]
                    marginal = stats.multivariate_normal(*own).logpdf(row[has])
                    if family == "student":
                        marginal = stats.multivariate_t(*own, d["nu"][k]).logpdf(row[has])
                assert log_omega == pytest.approx(marginal, abs=1e-9)


def test_a_series_with_gaps_and_holes_is_recovered() -> None:
    rng = np.random.default_rng(5)
    state = np.cumsum(rng.random(1200) < 0.1) % 2
    y = rng.normal(np.array([-1.0, 2.0])[state], 1)
    y[rng.random(1200) < 0.2] = np.nan
    kept = np.sort(rng.choice(1200, 900, replace=False))
    data = {"y": y[kept], "t": kept}
    fit = sm.fit("y | time(t) ~ hmm(normal, states=2)", data, engine="stanli", seed=1)
    transition = np.array([[0.9, 0.1], [0.1, 0.9]])
    require_recovered(fit, {"mu": np.array([-1.0, 2.0]), "transition": transition})
    # Far from any row, the state is as in the long run; next to one, it is not.
    new = fit.filtering({"y": [3.0, np.nan, np.nan], "t": [0, 1, 200]}).mean(("chain", "draw"))
    assert new.values[1, 1] > 0.8
    assert abs(new.values[2, 1] - 0.5) < 0.15


def log_density(formula: str, data: Any, at: Any = None) -> tuple[float, Any]:
    model = sm.model(formula, data, priors=EXPLICIT)
    here = at or {name: values[0] for name, values in points(model).items()}
    return engine("stanli").log_density(model.program, model.data, here)[0], here


@pytest.mark.parametrize(
    "formula",
    [
        "y | {} ~ mix(normal, K=2)\nmu ~ x",
        "y | unit(id) + {} ~ mix(normal, K=2)",
        "y | unit(id) + {} ~ hmm(normal, states=2)",
    ],
)
def test_a_row_that_counts_twice_is_the_row_written_twice(formula: str) -> None:
    """With a mean of the covariate that is the same for both."""
    frame = FRAME.assign(x=np.where(FRAME.index % 2, 1.0, -1.0), times=2, once=1)
    once, here = log_density(formula.format("freq(times)"), frame)
    twice = pd.concat([frame, frame], ignore_index=True)
    written, _ = log_density(formula.format("freq(once)"), twice, here)
    assert once == pytest.approx(written, abs=1e-9)


@pytest.mark.parametrize("addition", ["", "unit(id) + "])
def test_known_labels_leave_the_likelihood_of_the_states_that_are_possible(addition: str) -> None:
    labels = np.array(["1", "!2", "2|3", None], dtype=object)[FRAME["id"] % 4]
    frame = FRAME.assign(label=labels)
    formula = f"y | {addition}known(label) ~ mix(normal, K=3)"
    model = sm.model(formula, frame, priors=EXPLICIT)
    plain = f"y | {addition.removesuffix('+ ')}" if addition else "y "
    free = sm.model(f"{plain}~ mix(normal, K=3, order=none)", frame, priors=EXPLICIT)
    possible = {"1": [1, 0, 0], "!2": [1, 0, 1], "2|3": [0, 1, 1], None: [1, 1, 1]}
    runner = engine("stanli")
    at = points(model)
    for i, d in enumerate(evaluated(model, frame, [])):
        here = {name: values[i] for name, values in at.items()}
        densities = [runner.log_density(m.program, m.data, here)[0] for m in (model, free)]
        omega, given = d["log_omega"], labels
        if addition:
            heads = np.flatnonzero(~frame["id"].duplicated())
            omega, given = np.add.reduceat(omega, heads), labels[heads]
        joint = omega + np.log(here["weights"])
        mask = np.array([possible[label] for label in given], dtype=bool)
        known = logsumexp(np.where(mask, joint, -np.inf), axis=1).sum()
        assert densities[0] - densities[1] == pytest.approx(
            known - logsumexp(joint, axis=1).sum(), abs=1e-8
        )


def test_known_labels_identify_components_and_new_rows_need_none() -> None:
    rng = np.random.default_rng(6)
    component = rng.integers(2, size=200)
    y = rng.normal(np.array([3.0, -3.0])[component], 1)
    label = np.where(np.arange(200) < 20, component + 1.0, np.nan)
    data = {"y": y, "label": label}
    fit = sm.fit("y | known(label) ~ mix(normal, K=2)", data, engine="stanli", seed=1)
    assert not fit.model.spec.labels_may_switch
    require_recovered(fit, {"mu": np.array([3.0, -3.0])})
    assert (fit.membership().to_numpy()[np.arange(20), component[:20]] == 1).all()
    assert fit.membership({"y": [3.0, -3.0]}).idxmax(axis=1).tolist() == [1, 2]


def test_missing_text_and_choices_survive_saving(tmp_path: Path) -> None:
    frame = FRAME.assign(label=["1", "!2", None, "2"] * 6)
    frame["choice"] = frame["choice"].map({1: "left", 2: "right"}).where(frame.index != 3)
    frame["rt"] = frame["rt"].where(frame.index != 3)
    formula = "rt | dec(choice) + known(label) ~ mix(rdm, K=2)"
    fit = sm.fit(formula, frame, engine="stanli", chains=1, warmup=20, draws=5, seed=1)
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    assert again.membership().equals(fit.membership())


def test_gaps_of_a_million_steps_cost_little() -> None:
    frame = FRAME.iloc[:12].assign(t=np.arange(12) * 1_000_000)
    here = log_density("y | time(t) ~ hmm(normal, states=2, initial=stationary)", frame)
    assert np.isfinite(here[0])


@pytest.mark.parametrize("new_groups", ["Error", None])
def test_what_becomes_of_new_groups_is_checked(new_groups: Any) -> None:
    model = sm.model("y ~ mix(normal, K=2)\nmu ~ (1 | subject)", FRAME)
    with pytest.raises(sm.SpecError, match="new_groups"):
        sm.Fit(model, fake_draws(model), "none").log_omega(FRAME, new_groups=new_groups)


def test_classes_of_categories_are_recovered_and_new_rows_told_apart() -> None:
    rng = np.random.default_rng(7)
    at = {
        "prob_a": [[0.8, 0.1, 0.1], [0.1, 0.2, 0.7]],
        "prob_b": [[0.9, 0.1], [0.2, 0.8]],
        "prob_c": [[0.1, 0.9], [0.8, 0.2]],
        "weights": [0.4, 0.6],
    }
    rows = {
        "a": rng.choice(["x", "y", "z"], 1000),
        "b": rng.choice(["no", "yes"], 1000),
        "c": rng.choice([0, 1], 1000),
    }
    formula = "cbind(a, b, c) ~ mix(categorical & categorical & categorical, K=2)"
    drawn = sm.simulate(formula, rows, at, seed=1)
    label = drawn.states.where(drawn.states.index < 30)
    data = drawn.data.assign(label=label)
    fit = sm.fit(formula.replace("~", "| known(label) ~"), data, engine="stanli", seed=1)
    require_recovered(fit, {name: np.array(value) for name, value in at.items()})
    new = {"a": ["x", "z"], "b": ["no", "yes"], "c": [1, 0]}
    assert fit.membership(new).idxmax(axis=1).tolist() == [1, 2]
    with pytest.raises(sm.DataError, match="must hold one of"):
        fit.membership({**new, "a": ["x", "w"]})


def test_default_priors_count_rows_as_often_as_they_count() -> None:
    frame = FRAME.assign(times=1 + FRAME.index % 3, once=1)
    formula = "y | freq({}) ~ mix(normal, K=2)\nmu ~ x"
    counted = sm.model(formula.format("times"), frame)
    written = sm.model(formula.format("once"), frame.loc[frame.index.repeat(frame["times"])])
    assert counted.priors().equals(written.priors())
    assert counted.spec.regressions[0].center == pytest.approx(written.spec.regressions[0].center)


@pytest.mark.parametrize("question", ["membership", "filtering", "viterbi"])
def test_new_series_that_no_path_leads_through_are_refused(question: str) -> None:
    frame = FRAME.assign(label=np.nan)
    formula = "y | known(label) ~ hmm(normal, states=2, transition=left_right)"
    fit = sm.Fit(sm.model(formula, frame), fake_draws(sm.model(formula, frame)), "none")
    extra = {"transition": np.tile([[0.5, 0.5], [0.0, 1.0]], (1, 4, 1, 1))}
    dims = ("chain", "draw", "state", "state_to")
    posterior = fit.draws["posterior"].to_dataset().assign({k: (dims, v) for k, v in extra.items()})
    fit.draws["posterior"] = xr.DataTree(posterior)
    with pytest.raises(sm.DataError, match="density 0"):
        getattr(fit, question)({"y": [0.0, 1.0], "label": [2, 1]})
