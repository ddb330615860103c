"""A model for data that it was not made with: what stays, and what these data say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import stanmix as sm
from stanmix.engines import engine
from stanmix.model import build, transfer
from stanmix.spec import to_json
from tests.cases import CASES, FRAME, GRADES, HOLES, MATRIX, Case

RNG = np.random.default_rng(7)
OTHER = FRAME.assign(y=3 * FRAME["y"] + 50, x=FRAME["x"] + RNG.normal(size=24)).iloc[:17]


def require_same(data: Any, expected: Any) -> None:
    """The same data block."""
    assert set(data) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(np.asarray(data[name]), np.asarray(values), err_msg=name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_model_on_its_own_data_is_the_model(case: Case) -> None:
    model = build(case.formula, case.data, case.priors)
    again = transfer(model, case.data)
    assert again.spec == model.spec and again.spec.notes == model.spec.notes
    require_same(again.data, model.data)


def test_priors_keep_their_scales_and_the_program_is_the_same() -> None:
    model = sm.model("y ~ mix(normal, K=3)\nmu ~ x", FRAME)
    other = model.on(OTHER)
    assert other.priors().equals(model.priors())
    assert other.program.key == model.program.key
    assert other.data["N"] == 17
    for name in ("y_center", "y_scale", "beta_mu_scale", "X_mu_mean"):
        np.testing.assert_array_equal(other.data[name], model.data[name])
    np.testing.assert_allclose(other.data["y"], OTHER["y"])
    assert model.data["N"] == 24


@pytest.mark.engine
def test_the_density_is_that_of_the_same_priors_written_out() -> None:
    model = sm.model("y ~ mix(normal, K=2)", FRAME)
    other = model.on(OTHER)
    center, scale = np.median(FRAME["y"]), model.data["y_scale"]
    assert abs(scale - FRAME["y"].std(ddof=0)) < 0.005 * scale
    written = {
        "mu": f"normal({model.data['y_center']}, {2.5 * scale})",
        "sigma": f"inv_gamma(3, {scale})",
    }
    assert abs(model.data["y_center"] - center) < 0.01 * scale
    alone = sm.model("y ~ mix(normal, K=2)", OTHER, priors=written)
    at = {"mu": np.array([49.0, 61.0]), "sigma": np.array([2.0, 4.0]), "weights": [0.3, 0.7]}
    at = {name: np.asarray(value) for name, value in at.items()}
    stanli = engine("stanli")
    got, gradient = stanli.log_density(other.program, other.data, at)
    expected, own = stanli.log_density(alone.program, alone.data, at)
    assert got == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(gradient, own, rtol=1e-10)


def test_covariates_are_encoded_and_centred_as_in_the_data_of_the_model() -> None:
    model = sm.model("y ~ mix(normal, K=2)\nmu ~ scale(x) + poly(positive, 2)", FRAME)
    other = model.on(OTHER)
    x, mean, sd = OTHER["x"], FRAME["x"].mean(), FRAME["x"].std(ddof=1)
    np.testing.assert_allclose(other.data["X_mu"][:, 0], (x - mean) / sd, atol=1e-12)
    # Rows that both have are the same rows to both.
    np.testing.assert_allclose(other.data["X_mu"][:, 1:], model.data["X_mu"][:17, 1:], atol=1e-12)


def test_a_bound_that_responses_set_is_that_of_the_data() -> None:
    model = sm.model("rt ~ mix(wald, K=2, share=ndt)", FRAME)
    shorter = FRAME.assign(rt=FRAME["rt"] / 2)
    assert model.on(shorter).data["rt_minimum"] == shorter["rt"].min()
    assert model.data["rt_minimum"] == FRAME["rt"].min()
    censored = "rt | cens(how) ~ mix(wald, K=2, share=ndt)"
    data = FRAME.assign(how="none")
    late = shorter.assign(how=["right", *["none"] * 23], rt=[0.01, *shorter["rt"][1:]])
    assert sm.model(censored, data).on(late).data["rt_minimum"] == late["rt"][1:].min()


def test_groups_are_those_of_the_data_with_their_bounds() -> None:
    formula = "rt ~ mix(wald, K=2, share=ndt)\nndt ~ (1 | subject)"
    model = sm.model(formula, FRAME)
    data = FRAME.assign(subject=np.repeat(["p", "q", "r"], 8))
    other = model.on(data)
    assert other.data["G_subject"] == 3
    shortest = data.groupby("subject")["rt"].min()
    np.testing.assert_allclose(other.data["bound_ndt"], shortest[data["subject"]])
    assert other.spec.labels["group_subject"] == ["p", "q", "r"]
    alone = model.on(FRAME.assign(subject="only"))
    assert alone.data["G_subject"] == 1
    unseen = data.assign(rt=data["rt"].where(data["subject"] != "q"))
    assert other.program.key == model.program.key
    bound = dict(zip(data["subject"], model.on(unseen).data["bound_ndt"], strict=True))
    assert bound["q"] == unseen["rt"].min() and bound["p"] == shortest["p"]


def test_choices_and_categories_keep_their_codes_where_some_do_not_occur() -> None:
    model = sm.model("grade ~ mix(categorical, K=2)", GRADES)
    other = model.on({"grade": [9, 9, 3]})
    assert other.data["y"].tolist() == [3, 3, 1]
    choices = sm.model("rt | dec(choice) ~ mix(rdm, K=2)", FRAME)
    assert choices.on(FRAME.assign(choice=2)).data["A"] == 2


def test_known_labels_are_those_of_the_data() -> None:
    data = FRAME.assign(label=np.where(FRAME.index < 6, FRAME.index % 2 + 1.0, np.nan))
    model = sm.model("y | known(label) ~ mix(normal, K=2)", data)
    assert not model.spec.labels_may_switch
    assert not any("labels may switch" in note for note in model.spec.notes)
    other = model.on(data.assign(label=np.nan))
    assert other.spec.labels_may_switch
    assert any("labels may switch" in note for note in other.spec.notes)
    assert other.on(data).spec.notes == model.spec.notes


def test_data_that_lack_responses_or_times_have_one_program_of_their_own() -> None:
    model = sm.model("y ~ mix(normal, K=2)", FRAME)
    holes = model.on(HOLES)
    assert holes.program.key != model.program.key
    assert holes.on(FRAME).program.key == holes.program.key
    assert holes.program.key == model.on(HOLES.iloc[:9]).program.key
    chain = sm.model("count | series(subject) + time(t) ~ hmm(poisson, states=2)", FRAME)
    gaps = chain.on(FRAME[FRAME["t"] != 4])
    assert gaps.program.key != chain.program.key
    assert gaps.on(FRAME).program.key == gaps.program.key
    assert gaps.data["B"] == 2


REFUSED: list[tuple[str, Any, Any, str]] = [
    ("y ~ mix(normal, K=2)", FRAME, {"x": [1.0, 2.0]}, "no column `y`"),
    ("y ~ mix(normal, K=2)\nmu ~ x", FRAME, FRAME[["y"]], "no column `x`"),
    ("y | freq(id) ~ mix(normal, K=2)", FRAME.assign(id=2), FRAME[["y"]], "no column `id`"),
    ("y ~ mix(normal, K=2)", FRAME, {"y": [1.0]}, "cannot be told apart in 1 rows"),
    ("y ~ mix(normal, K=2)", FRAME, {"y": [np.nan, np.nan]}, "`y` has no values"),
    ("y ~ mix(normal, K=2)", FRAME, {"y": ["a", "b"]}, "`y` must hold numbers"),
    ("y ~ mix(normal, K=2)", FRAME, {"y": []}, "no rows"),
    ("y ~ mix(normal, K=2)", FRAME, [1.0, 2.0], "must be a data frame"),
    ("y ~ mix(normal, K=2)\nmu ~ subject", FRAME, FRAME.assign(subject="c"), "one of `a`, `b`"),
    ("y ~ mix(normal, K=2)\nmu ~ x", FRAME, FRAME.assign(x=np.nan), "no missing values"),
    ("y ~ mix(normal, K=2)\nmu ~ (1 | id)", FRAME, FRAME.assign(id=np.nan), "no missing values"),
    ("grade ~ mix(categorical, K=2)", GRADES, {"grade": [3, 8]}, "one of `3`, `7`, `9`"),
    ("rt | dec(choice) ~ mix(rdm, K=2)", FRAME, FRAME.assign(choice=3), "hold one of `1`, `2`"),
    ("positive ~ mix(gamma, K=2)", FRAME, {"positive": [1.0, -1.0]}, "must be positive"),
    ("y ~ mix(normal, K=2)", MATRIX, {"y": np.ones((5, 3))}, "`y` has 3 columns, not 2"),
]


@pytest.mark.parametrize(("formula", "own", "other", "said"), REFUSED)
def test_data_that_do_not_fit_are_refused(formula: str, own: Any, other: Any, said: str) -> None:
    model = build(formula, own)
    with pytest.raises(sm.DataError, match=said):
        model.on(other)


def test_warnings_are_those_of_the_data() -> None:
    model = sm.model("y | trials(n) ~ mix(binomial, K=2)", {"y": [0, 9, 8, 1], "n": [9] * 4})
    with pytest.warns(sm.IdentifiabilityWarning, match="not identified"):
        model.on({"y": [0, 1, 1, 0], "n": [1, 1, 1, 1]})


@pytest.mark.engine
def test_a_file_keeps_the_encodings_of_data_that_are_not_its_own(tmp_path: Path) -> None:
    model = sm.model("y ~ mix(normal, K=2)\nmu ~ bs(x, df=4) + subject", FRAME)
    other = OTHER.assign(x=OTHER["x"].clip(FRAME["x"].min(), FRAME["x"].max()) / 3)
    with pytest.warns(sm.ConvergenceWarning):
        fit = model.on(other).fit(engine="stanli", chains=2, warmup=20, draws=5, seed=1)
    again = sm.load(fit.save(tmp_path / "fit.nc"))
    require_same(again.model.data, fit.model.data)
    assert to_json(again.model.spec) == to_json(fit.model.spec)
    assert set(again.draws) == set(fit.draws)
    row = {"x": [0.1], "subject": ["b"]}
    xr.testing.assert_allclose(again.predict(row), fit.predict(row), rtol=1e-12)
    twice = sm.load(again.save(tmp_path / "again.nc"))
    require_same(twice.model.data, fit.model.data)


@pytest.mark.engine
def test_a_file_keeps_which_columns_were_one_array(tmp_path: Path) -> None:
    data = {**MATRIX, "unused": np.ones((len(MATRIX["y"]), 2))}
    model = sm.model("y ~ mix(normal, K=2)", data)
    fit = model.fit(engine="stanli", chains=1, warmup=20, draws=5, seed=1)
    again = sm.load(fit.save(tmp_path / "fit.nc")).model
    assert again.table.matrices == {"y": ("y_1", "y_2")}
    assert again.on(MATRIX).data["N"] == len(MATRIX["y"])
    with pytest.raises(sm.DataError, match="`y` has 3 columns, not 2"):
        again.on({"y": np.ones((5, 3))})
