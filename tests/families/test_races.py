"""Densities and survivals of accumulators, against arithmetic of many digits."""

from __future__ import annotations

from itertools import product

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import stanli
from mpmath import mpf
from scipy import integrate

from stanmix.families.race import Ballistic
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


def ballistic(t: mpf, threshold: mpf, start: mpf, drift: mpf) -> tuple[mpf, mpf]:
    """Log density and log survival of a ballistic accumulator, as differences of tails."""
    low, high = threshold / t - drift, (threshold + start) / t - drift
    cdf, pdf = mpmath.ncdf, mpmath.npdf
    between = cdf(-low) - cdf(-high) if low > 0 else cdf(high) - cdf(low)
    density = (drift * between + pdf(low) - pdf(high)) / start
    beyond = [pdf(x) - x * cdf(-x) for x in (low, high)]
    survival = cdf(drift) + t / start * (beyond[1] - beyond[0])
    return mpmath.log(density / cdf(drift)), mpmath.log(survival / cdf(drift))


BALLISTIC = list(
    product([1e-3, 0.05, 0.4, 2.0, 50.0, 1e6], [0.2, 1.5], [1e-4, 0.7, 4.0], [-4.0, 0.3, 3.0])
)
"""Times, thresholds, starts and drifts."""


@pytest.mark.parametrize("place", [0, 1], ids=["density", "survival"])
def test_a_ballistic_accumulator_and_its_gradient_are_exact_at_all_times(place: int) -> None:
    name = ("lba_log_density", "lba_log_survival")[place]
    code = program(
        f"vector {name}(vector t, real threshold, real start, vector drift)",
        "  vector[1] t;",
        "  real threshold;\n  real start;\n  vector[1] drift;",
        f"{name}(t, threshold, start, drift)",
    )
    for t, *params in BALLISTIC:
        model = stanli.Model(stan_code=code, data={"t": [t]})
        with mpmath.workdps(80):
            at = [mpf(t), *map(mpf, params)]
            value = ballistic(*at)[place]
            step = mpf(10) ** -30
            slopes = [
                float((ballistic(*moved)[place] - value) / step)
                for i in (1, 2, 3)
                for moved in [[x + step * (j == i) for j, x in enumerate(at)]]
            ]
        ours, gradient = model.log_prob_grad(np.array(params))
        assert ours == pytest.approx(float(value), rel=1e-10, abs=1e-10), (t, params)
        assert gradient == pytest.approx(slopes, rel=1e-7, abs=1e-8), (t, params)


@pytest.mark.parametrize("drift", [-2.0, 0.5, 4.0])
def test_the_survival_of_the_reference_is_what_its_density_leaves(drift: float) -> None:
    accumulator = Ballistic(0.8, 0.6, drift, 0.2)
    for t in (0.1, 0.5, 2.0):
        passed, _ = integrate.quad(lambda s: np.exp(accumulator.logpdf(0.2 + s)), 0, t)
        assert np.exp(accumulator.logsf(0.2 + t)) == pytest.approx(1 - passed, abs=1e-8)
