"""The survival of a Wald distribution, against arithmetic of 80 digits, and its draws."""

from __future__ import annotations

from itertools import product

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import stanli
from mpmath import mpf
from scipy import stats

from stanmix.conformance.stan import StanSide
from stanmix.conformance.trials import variants
from stanmix.engines import engine
from stanmix.families import FAMILIES
from stanmix.program.resources import needed_functions

THRESHOLDS = [0.05, 0.5, 2.0, 10.0]
DRIFTS = [1e-12, 1e-3, 0.3, 2.0, 8.0, 30.0]
TIMES = [1e-4, 1e-2, 0.2, 1.0, 5.0, 100.0]

HEAD = "vector wald_log_no_passage(vector t, real threshold, vector path)"
FUNCTIONS = "\n".join(f.text for f in needed_functions([(HEAD, frozenset())], ""))
PROGRAM = f"""
functions {{
{FUNCTIONS}
}}
data {{
  int N;
  vector[N] t;
}}
parameters {{
  real threshold;
  real drift;
  real later;
}}
model {{
  target += sum(wald_log_no_passage(t + later, threshold, drift * (t + later)));
}}
"""


def exact(t: float, threshold: float, drift: float) -> tuple[mpf, list[mpf]]:
    """Log survival, and its derivatives by threshold, drift and time."""
    with mpmath.workdps(80):
        t, a, v = mpf(t), mpf(threshold), mpf(drift)
        root = mpmath.sqrt(t)
        reflected = mpmath.exp(2 * a * v) * mpmath.ncdf(-(a + v * t) / root)
        survival = mpmath.ncdf((a - v * t) / root) - reflected
        peak = mpmath.npdf((a - v * t) / root) / root
        slopes = [2 * (peak - v * reflected), -2 * a * reflected, -a * peak / t]
        return mpmath.log(survival), [slope / survival for slope in slopes]


pytestmark = pytest.mark.engine


@pytest.mark.parametrize("t", TIMES)
def test_log_survival_and_its_gradient_are_exact_far_into_the_tail(t: float) -> None:
    model = stanli.Model(stan_code=PROGRAM, data={"N": 1, "t": [t]})
    for threshold, drift in product(THRESHOLDS, DRIFTS):
        value, slopes = exact(t, threshold, drift)
        ours, gradient = model.log_prob_grad(np.array([threshold, drift, 0.0]))
        assert ours == pytest.approx(float(value), rel=1e-12, abs=1e-15)
        assert gradient == pytest.approx([float(s) for s in slopes], rel=1e-8, abs=1e-13)


def test_a_row_in_the_far_tail_leaves_the_others_alone() -> None:
    model = stanli.Model(stan_code=PROGRAM, data={"N": len(TIMES), "t": TIMES})
    for threshold, drift in product(THRESHOLDS, DRIFTS):
        rows = [exact(t, threshold, drift) for t in TIMES]
        ours, gradient = model.log_prob_grad(np.array([threshold, drift, 0.0]))
        assert ours == pytest.approx(float(sum(value for value, _ in rows)), rel=1e-12)
        slopes = [float(sum(slopes[i] for _, slopes in rows)) for i in range(3)]
        assert gradient == pytest.approx(slopes, rel=1e-8)


def test_without_a_drift_times_have_the_distribution_of_levy() -> None:
    (variant, *_) = variants(FAMILIES["wald"])
    side = StanSide(variant, engine("stanli"))
    drawn = side.emissions({"threshold": 1.5, "drift": 0.0, "ndt": 0.2}, 5000, seed=1)
    assert stats.kstest(drawn, stats.levy(loc=0.2, scale=1.5**2).cdf).pvalue > 1e-4
