"""The log density of priors, against that of programs with and without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import stanmix as sm
from stanmix.engines import engine
from stanmix.prior_density import log_priors
from stanmix.priors import Prior, PriorEntry
from stanmix.program.declare import sampled_name
from stanmix.program.render import render
from tests.cases import CASES, FRAME, Case
from tests.test_regression import POINTS, points

pytestmark = pytest.mark.engine

FLAT = (PriorEntry(Prior("flat")),)

MORE = (
    Case(
        "many_priors",
        "y ~ mix(student, K=3)",
        FRAME,
        {
            "mu[1]": "cauchy(0, 1)",
            "mu[2]": "logistic(1, 2)",
            "mu[3]": "double_exponential(3, 0.5)",
            "sigma[1]": "weibull(2, 1)",
            "sigma[2]": "gamma(2, 1)",
            "sigma[3]": "exponential(2)",
            "nu": "lognormal(2, 0.5)",
            "weights": "dirichlet(1, 2, 3)",
        },
    ),
    Case(
        "steps",
        "y ~ mix(normal, K=3)",
        FRAME,
        {"mu[1]": "student_t(3, 0, 1)", "diff(mu)": "normal(1, 0.5)"},
    ),
    Case(
        "own_columns",
        "cbind(y, x) ~ mix(normal, K=2); mu ~ rt",
        FRAME,
        {"mu": "normal([0, 1], [1, 2])", "beta_mu": "normal(0, [[1], [9]])"},
    ),
    Case(
        "sticky",
        "y ~ hmm(normal, states=3, transition=left_right)",
        FRAME,
        {"transition": "sticky(8, 2)"},
    ),
    Case(
        "guarded", "cbind(y, x, rt) ~ mix(normal, K=2)", FRAME, {"corr": "lkj(3, 0.2)"}
    ),
    Case("shares", "hit | unit(id) ~ mix(bernoulli, K=2)", FRAME, {"prob": "beta(2, 3)"}),
)  # fmt: skip


Points = dict[str, np.ndarray]


def differences(model: sm.Model, other: sm.Model, at: Points) -> np.ndarray:
    """How the log densities of two programs with the same parameters differ, at some points."""
    runner, found = engine("stanli"), []
    for i in range(POINTS):
        here = {name: values[i] for name, values in at.items()}
        sides = [runner.log_density(m.program, m.data, here)[0] for m in (model, other)]
        found.append(sides[0] - sides[1])
    return np.array(found)


def by_hand(model: sm.Model, at: Points, besides: str = "") -> np.ndarray:
    """The log density of all priors at the same points."""
    needed = {sampled_name(p) if p.is_slope else p.name for p in model.spec.parameters}
    made = engine("stanli").generate(model.program, model.data, at, sorted(needed - set(at)))
    found = log_priors(model.spec, {**at, **made})
    return np.sum([v for name, v in found.items() if name != besides], axis=0)


@pytest.mark.parametrize("case", [*CASES, *MORE], ids=lambda case: case.name)
def test_priors_are_what_a_program_with_them_has_besides_one_without(case: Case) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors)
    shrunk = next((p.name for p in model.spec.parameters if p.shrinking), "")
    flat = tuple(p if p.name == shrunk else replace(p, priors=FLAT) for p in model.spec.parameters)
    without = replace(model, spec=replace(model.spec, parameters=flat))
    assert without.program.code == render(without.spec).code != model.program.code
    at = points(model)
    ours = by_hand(model, at, besides=shrunk)
    rest = differences(model, without, at) - ours
    assert np.ptp(ours) > 0.01
    np.testing.assert_allclose(rest - rest[0], 0, atol=1e-8 * (1 + np.abs(ours).max()))


def test_of_a_horseshoe_it_is_the_prior_of_the_global_scale_and_the_slab() -> None:
    models = [
        sm.model("y ~ mix(normal, K=2)\nmu ~ x + rt", FRAME, priors={"beta_mu": text})
        for text in ("horseshoe(0.1, 1, 4)", "horseshoe(0.3, 2, 4)")
    ]
    at = points(models[0])
    for name in ("slope_mu_global", "slope_mu_slab"):
        at[name] = at[name] * np.array([[1.0], [0.3], [2.0], [5.0]])
    ours = by_hand(models[0], at) - by_hand(models[1], at)
    rest = differences(models[0], models[1], at) - ours
    assert np.ptp(ours) > 0.01
    np.testing.assert_allclose(rest - rest[0], 0, atol=1e-8)
