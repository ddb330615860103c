"""Survivals of accumulators, against arithmetic of many digits."""

from __future__ import annotations

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import stanli
from mpmath import mpf

from stanmix.program.resources import needed_functions

pytestmark = pytest.mark.engine


def program(head: str, data: str, parameters: str, call: str) -> str:
    """A program whose density is the sum of a function at some rows."""
    functions = "\n".join(f.text for f in needed_functions([(head, frozenset())], ""))
    return (
        f"functions {{\n{functions}\n}}\ndata {{\n{data}\n}}\n"
        f"parameters {{\n{parameters}\n}}\nmodel {{\n  target += sum({call});\n}}\n"
    )


@pytest.mark.parametrize("z", [-40.0, -9.0, -1.0, 0.0, 1.0, 6.0, 30.0, 36.7, 36.9, 60.0, 1e4])
def test_the_lognormal_survival_and_its_gradient_are_exact_far_into_the_tail(z: float) -> None:
    head = "vector lognormal_race_log_survival(vector log_t, vector mu, real sigma)"
    code = program(
        head,
        "  vector[1] log_t;",
        "  vector[1] mu;\n  real sigma;",
        "lognormal_race_log_survival(log_t, mu, sigma)",
    )
    mu, sigma = -0.5, 0.25
    model = stanli.Model(stan_code=code, data={"log_t": [mu + sigma * z]})
    with mpmath.workdps(50):
        exactly = (mpf(mu + sigma * z) - mpf(mu)) / mpf(sigma)
        value = mpmath.log(mpmath.ncdf(-exactly))
        hazard = mpmath.npdf(exactly) / mpmath.ncdf(-exactly) / sigma
        slopes = [float(hazard), float(hazard * exactly)]
    ours, gradient = model.log_prob_grad(np.array([mu, sigma]))
    assert ours == pytest.approx(float(value), rel=1e-13)
    assert gradient == pytest.approx(slopes, rel=1e-9)
