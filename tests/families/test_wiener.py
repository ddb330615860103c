"""The diffusion model, against arithmetic of many digits and the known chances of its choices."""

from __future__ import annotations

from functools import partial
from itertools import product

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import stanli
from mpmath import mpf
from scipy import integrate, stats

from stanmix.families import FAMILIES
from stanmix.program.resources import needed_functions

BIASES = [1e-12, 1e-5, 0.3, 0.5, 0.9, 1 - 1e-5]
DRIFTS = [-6.0, 0.0, 0.4]
TIMES = [0.003, 0.2, 1.2732, 1.2733, 9.0]
THRESHOLD = 2.0
"""At which one series gives way to the other at 1.27324."""


def exact(t: float, at_upper: bool, drift: float, bias: float) -> tuple[float, list[float]]:
    """Log density, and its derivatives by threshold, drift and bias."""
    with mpmath.workdps(60):

        def log_density(threshold: mpf, drift: mpf, bias: mpf) -> mpf:
            near, towards = (1 - bias, drift) if at_upper else (bias, -drift)
            s = mpf(t) / threshold**2
            # Of all images at early times, and of all modes at late ones.
            if s < mpf("0.2"):
                terms = [near + 2 * k for k in range(-12, 13)]
                total = sum(x * mpmath.exp(-(x**2) / (2 * s)) for x in terms)
                log_total = mpmath.log(total) - mpmath.log(2 * mpmath.pi * s**3) / 2
            else:
                log_total = mpmath.log(
                    mpmath.pi
                    * sum(
                        k
                        * mpmath.sin(k * mpmath.pi * near)
                        * mpmath.exp(-((k * mpmath.pi) ** 2) * s / 2)
                        for k in range(1, 20)
                    )
                )
            exponent = towards * threshold * near - towards**2 * mpf(t) / 2
            return log_total + exponent - 2 * mpmath.log(threshold)

        at = (mpf(THRESHOLD), mpf(drift), mpf(bias))
        slopes = []
        for place in range(3):
            order = tuple(int(i == place) for i in range(3))
            slopes.append(float(mpmath.diff(log_density, at, order, h=mpf(10) ** -25)))
        return float(log_density(*at)), slopes


@pytest.mark.engine
@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("at_upper", [False, True])
def test_the_log_density_and_its_gradient_are_exact(t: float, at_upper: bool) -> None:
    arguments = "vector t, vector at_upper, real threshold, real drift, real bias"
    head = f"vector wiener_log_density({arguments})"
    functions = "\n".join(f.text for f in needed_functions([(head, frozenset())], ""))
    code = (
        f"functions {{\n{functions}\n}}\ndata {{\n  vector[1] t;\n  vector[1] at_upper;\n}}\n"
        "parameters {\n  real threshold;\n  real drift;\n  real bias;\n}\nmodel {\n"
        "  target += sum(wiener_log_density(t, at_upper, threshold, drift, bias));\n}\n"
    )
    model = stanli.Model(stan_code=code, data={"t": [t], "at_upper": [float(at_upper)]})
    for drift, bias in product(DRIFTS, BIASES):
        value, slopes = exact(t, at_upper, drift, bias)
        ours, gradient = model.log_prob_grad(np.array([THRESHOLD, drift, bias]))
        assert ours == pytest.approx(value, rel=1e-11, abs=1e-11), (drift, bias)
        assert gradient == pytest.approx(slopes, rel=1e-9, abs=1e-9), (drift, bias)


@pytest.mark.parametrize(("drift", "bias"), [(0.0, 0.3), (1.5, 0.5), (-0.7, 0.8)])
def test_boundaries_are_reached_with_the_known_chances(drift: float, bias: float) -> None:
    model = FAMILIES["wiener"].reference(threshold=1.7, drift=drift, bias=bias, ndt=0.2)
    chances = [
        integrate.quad(lambda t, c=c: np.exp(model.logpdf(0.2 + t, c)), 0, 60, limit=500)[0]
        for c in (1, 2)
    ]
    a, v, z = 1.7, drift, 1.7 * bias
    upper = z / a if v == 0 else np.expm1(-2 * v * z) / np.expm1(-2 * v * a)
    assert chances == pytest.approx([1 - upper, upper], abs=1e-8)


@pytest.mark.parametrize(("drift", "bias"), [(0.0, 0.02), (4.0, 0.1), (-0.7, 0.8)])
def test_simulated_responses_have_the_distribution_of_the_density(
    drift: float, bias: float
) -> None:
    model = FAMILIES["wiener"].reference(threshold=1.7, drift=drift, bias=bias, ndt=0.2)
    rt, choice = model.rvs(20_000, np.random.default_rng(1)).T
    time = np.concatenate([[0], np.geomspace(1e-6, 100, 40_001)])
    for code in (1, 2):
        density = np.exp(model.logpdf(0.2 + time, np.full(time.size, code)))
        cumulative = integrate.cumulative_simpson(density, x=time, initial=0)
        known = partial(np.interp, xp=time, fp=cumulative / cumulative[-1])
        assert stats.kstest(rt[choice == code] - 0.2, known).pvalue > 1e-4
        assert stats.binomtest(int((choice == code).sum()), 20_000, cumulative[-1]).pvalue > 1e-4
