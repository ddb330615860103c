"""The tails of a skew normal distribution, against arithmetic of 30 digits."""

from __future__ import annotations

from itertools import product

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import stanli
from mpmath import mpf

from stanmix.program.resources import needed_functions

PLACES = [-50.0, -1.0, -1e-6, 0.0, 0.5, 3.0, 60.0, 1e4]
SHAPES = [-1e3, -2.0, -0.3, 0.0, 1e-3, 1.0, 8.0, 200.0]

HEAD = "vector skew_normal_log_beyond(vector z, vector alpha)"
FUNCTIONS = "\n".join(f.text for f in needed_functions([(HEAD, frozenset())], ""))
PROGRAM = f"""
functions {{
{FUNCTIONS}
}}
parameters {{
  real z;
  real alpha;
}}
model {{
  target += sum(skew_normal_log_beyond([z]', [alpha]'));
}}
"""


def exact(z: float, alpha: float) -> tuple[mpf, list[mpf]]:
    """Log probability beyond z, and its derivatives by z and alpha."""
    with mpmath.workdps(30):
        z, a = mpf(z), mpf(alpha)
        width = 1 / (1 + abs(z)) / (1 + a * a)

        def density(t: mpf) -> mpf:
            return 2 * mpmath.npdf(t) * mpmath.ncdf(a * t)

        here = density(z)
        # From the nearer end: the other side of 0 is what is left of 1.
        side = 1 if z >= 0 else -1
        count = int(mpmath.log(60 / width, 4)) + 2
        panels = [z + side * width * (mpf(4) ** k - 1) for k in range(count)]
        tail = side * here * mpmath.quad(lambda t: density(t) / here, panels)
        beyond = tail if z >= 0 else 1 - tail
        by_alpha = mpmath.exp(-z * z * (1 + a * a) / 2) / (mpmath.pi * (1 + a * a))
        return mpmath.log(beyond), [-here / beyond, by_alpha / beyond]


@pytest.mark.engine
def test_log_tails_and_their_gradients_are_exact_however_far_out() -> None:
    model = stanli.Model(stan_code=PROGRAM, data={})
    for z, alpha in product(PLACES, SHAPES):
        value, slopes = exact(z, alpha)
        ours, gradient = model.log_prob_grad(np.array([z, alpha]))
        assert ours == pytest.approx(float(value), rel=1e-11, abs=1e-15), (z, alpha)
        expected = [float(slope) for slope in slopes]
        assert gradient == pytest.approx(expected, rel=1e-9, abs=1e-13), (z, alpha)
