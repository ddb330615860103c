"""Families that a user declares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
import pytest
from scipy import stats

import stanmix as sm
from tests.cases import FRAME
from tests.test_regression import evaluated

CODE = """
// Log density of each row.
vector rayleigh_log_omega(vector y, real scale) {
  vector[num_elements(y)] inside = positive_or_one(y);
  return restrict_to_positive(log(inside) - 2 * log(scale) - 0.5 * square(inside ./ scale), y);
}
"""
OF_COLUMNS = CODE.replace("vector y", "matrix y")
RAYLEIGH = sm.Family(
    "rayleigh",
    response=(sm.Column("positive"),),
    params=(
        sm.Param("scale", link="log", lower=0, prior="lognormal({log_center}, 1)", orders=True),
    ),
    reference=lambda scale: stats.rayleigh(scale=scale),
    stan_code=CODE,
)


def test_a_program_holds_the_functions_of_a_family_and_those_they_call() -> None:
    model = sm.model("positive ~ mix(rayleigh, K=2)\nscale ~ x", FRAME, families=[RAYLEIGH])
    assert "vector rayleigh_log_omega(vector y, vector scale)" in model.code
    assert "vector positive_or_one(vector x)" in model.code


def test_stan_code_may_be_indented() -> None:
    indented = replace(RAYLEIGH, stan_code=indent(CODE, "    ").replace("{\n", "{  \n"))
    model = sm.model("positive ~ mix(rayleigh, K=2)", FRAME, families=[indented])
    assert "\n  vector rayleigh_log_omega(vector y, real scale) {\n" in model.code


def test_rough_values_come_from_the_reference() -> None:
    y = stats.rayleigh(scale=40).rvs(500, random_state=1)
    assert abs(RAYLEIGH.started(y)["scale"] / 40 - 1) < 0.1


@pytest.mark.parametrize(
    ("families", "message"),
    [
        (["rayleigh"], "holds declarations"),
        ([replace(RAYLEIGH, name="normal", stan="normal")], "already"),
        ([RAYLEIGH, RAYLEIGH], "already"),
        ([replace(RAYLEIGH, name="my family")], "cannot be called"),
        ([replace(RAYLEIGH, stan_code="")], "has no function `vector rayleigh_log_omega"),
        (
            [replace(RAYLEIGH, response=(sm.Column("real", many=True),), stan_code=OF_COLUMNS)],
            "has no function `vector rayleigh_partial_log_omega",
        ),
        ([replace(RAYLEIGH, stan_code="real 2x {\n}\n")], "cannot be read"),
        (
            [replace(RAYLEIGH, stan_code="vector f(vector y, real scale) { return y; }")],
            "a head ends with",
        ),
        (
            [replace(RAYLEIGH, stan_code=CODE + "vector normal_log_omega(vector y) {\n}\n")],
            "rename yours",
        ),
    ],
)
def test_what_is_no_family_is_refused(families: list[Any], message: str) -> None:
    with pytest.raises(sm.SpecError, match=message):
        sm.model("positive ~ mix(rayleigh, K=2)", FRAME, families=families)


def test_the_families_of_a_formula_are_those_given() -> None:
    with pytest.raises(sm.SpecError, match="Unknown family `rayleigh`"):
        sm.model("positive ~ mix(rayleigh, K=2)", FRAME)


@pytest.mark.engine
def test_a_saved_fit_is_read_with_its_families(tmp_path: Path) -> None:
    formula = "positive ~ mix(rayleigh, K=2)"
    fit = sm.fit(
        formula,
        FRAME,
        families=[RAYLEIGH],
        engine="stanli",
        chains=1,
        warmup=20,
        draws=5,
        seed=1,
    )
    path = fit.save(tmp_path / "fit.nc")
    again = sm.load(path, families=[RAYLEIGH])
    assert again.membership().equals(fit.membership())
    with pytest.raises(sm.DataError, match="rayleigh"):
        sm.load(path)


@pytest.mark.engine
def test_the_density_of_ones_own_family_is_what_the_reference_says() -> None:
    model = sm.model("positive ~ mix(rayleigh, K=2)", FRAME, families=[RAYLEIGH])
    for draw in evaluated(model, FRAME, []):
        for k in range(2):
            expected = stats.rayleigh(scale=draw["scale"][k]).logpdf(FRAME["positive"])
            np.testing.assert_allclose(draw["log_omega"][:, k], expected, rtol=1e-9)


SHIFTS = sm.Family(
    "shifts",
    response=(sm.Column("real", many=True),),
    params=(sm.Param("mu", prior="normal({center}, 9)", axes=("column",), by_row=True),),
    reference=lambda mu: None,
    start=lambda y: {"mu": y.mean(axis=1)},
    stan_code="""
// Log density of each observation: independent columns of variance 1.
vector shifts_log_omega(matrix y, vector mu) {
  vector[cols(y)] distance = spherical_distance(y, mu, 1);
  return -0.5 * distance - 0.5 * rows(y) * log(2 * pi());
}

// Log density of the columns that each observation has.
vector shifts_partial_log_omega(matrix y, array[,] int seen, array[] int arranged,
                                array[] int pattern_size, vector mu) {
  matrix[rows(y), cols(y)] has = has_column(seen, arranged, pattern_size);
  vector[cols(y)] distance = spherical_distance(has .* deviations(y, mu), zeros_vector(rows(y)), 1);
  return -0.5 * distance - has' * rep_vector(0.5 * log(2 * pi()), rows(y));
}
""",
)


@pytest.mark.engine
@pytest.mark.parametrize("rows", ["whole", "holed"])
def test_a_vector_of_ones_own_family_may_vary_by_row(rows: str) -> None:
    data = FRAME if rows == "whole" else FRAME.assign(y=FRAME["y"].where(FRAME.index % 5 != 1))
    model = sm.model("cbind(y, x) ~ mix(shifts, K=2)\nmu ~ rt", data, families=[SHIFTS])
    for draw in evaluated(model, data, ["beta_mu"]):
        for k in range(2):
            b = draw["beta_mu"][k]
            mean = b[:, 0] + b[:, 1] * data["rt"].to_numpy()[:, None]
            expected = np.nansum(stats.norm.logpdf(data[["y", "x"]], mean), axis=1)
            np.testing.assert_allclose(draw["log_omega"][:, k], expected, rtol=1e-9)


SURVIVAL = """
// Log probability of more, at each row.
vector rayleigh_log_survival(vector y, real scale) {
  return certain_unless_positive(-0.5 * square(y ./ scale), y);
}

// Log distribution function at each row.
vector rayleigh_log_cumulative(vector y, real scale) {
  vector[num_elements(y)] inside = positive_or_one(y);
  return restrict_to_positive(log1m_exp(-0.5 * square(inside ./ scale)), y);
}
"""


@pytest.mark.engine
def test_a_family_of_ones_own_that_is_right_passes_all_checks() -> None:
    checked = sm.check_family(RAYLEIGH)
    assert "The density equals the reference." in checked
    assert not any("distribution function" in sentence for sentence in checked)
    whole = replace(RAYLEIGH, cumulative=True, stan_code=CODE + SURVIVAL)
    assert len(sm.check_family(whole)) == len(checked) + 1


@pytest.mark.engine
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stan_code": CODE.replace("2 * log(scale)", "log(scale)")}, "the reference has"),
        ({"reference": lambda scale: stats.rayleigh(scale=2 * scale)}, "the reference has"),
        (
            {"stan_code": CODE.replace("restrict_to_positive(", "(").replace(", y);", ");")},
            "is not minus infinity outside the support",
        ),
        ({"start": lambda y: {"scale": -1.0}}, "which it cannot be"),
        ({"start": lambda y: {"width": 1.0}}, "which are not the parameters"),
        (
            {"reference": lambda scale: Drawn(stats.rayleigh(scale=scale), 1.1)},
            "do not have the distribution of the density",
        ),
        (
            {"cumulative": True, "stan_code": CODE + SURVIVAL.replace("-0.5", "-0.6")},
            "`log_survival` is",
        ),
        ({"stan_code": ""}, "has no function `vector rayleigh_log_omega"),
        ({"name": "my family"}, "cannot be called"),
        ({"params": (replace(RAYLEIGH.params[0], prior="rubbish("),)}, "The prior of `scale`"),
        ({"params": (replace(RAYLEIGH.params[0], prior="normal({big}, 1)"),)}, "names 'big'"),
        ({"reference": lambda width: stats.rayleigh(width)}, "fails: TypeError"),
        (
            {"stan_code": CODE.replace("  vector[", '  reject("never");\n  vector[')},
            "refuse what is possible",
        ),
        (
            {"stan_code": CODE.replace("square(inside ./ scale)", "square(value_of(inside))")},
            "stanli refused the program",
        ),
    ],
)
def test_a_family_of_ones_own_that_is_wrong_is_told_so(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(sm.StanmixError, match=message):
        sm.check_family(replace(RAYLEIGH, **changes))


class Drawn:
    """A distribution with other draws."""

    def __init__(self, distribution: Any, times: float) -> None:
        self.logpdf = distribution.logpdf
        self.distribution, self.times = distribution, times

    def rvs(self, size: int, random_state: np.random.Generator) -> Any:
        return self.times * self.distribution.rvs(size, random_state=random_state)
