"""Distribution functions of counts with a hurdle, where counts above it are rare or sure."""

from __future__ import annotations

import numpy as np
import pytest

from stanmix.conformance.stan import StanSide
from stanmix.conformance.trials import variants
from stanmix.engines import engine
from stanmix.families import FAMILIES


@pytest.mark.engine
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("hurdle_poisson", {"rate": 1e-9, "hu": 1e-12}),
        ("hurdle_poisson", {"rate": 60.0, "hu": 1e-30}),
        ("hurdle_negbinomial", {"mu": 1e-9, "shape": 2.0, "hu": 1e-12}),
        ("hurdle_negbinomial", {"mu": 1e-3, "shape": 1e-4, "hu": 1e-12}),
        ("hurdle_negbinomial", {"mu": 500.0, "shape": 20.0, "hu": 1e-30}),
    ],
)
def test_the_distribution_function_is_the_sum_of_the_masses(
    name: str, params: dict[str, float]
) -> None:
    (variant,) = variants(FAMILIES[name])
    y = np.array([0, 1, 2, 5, 30, 80])
    side = StanSide(variant, engine("stanli"))
    ours = side.values("log_cumulative", [params], [y])[0]
    mass = side.values("log_omega", [params], [np.arange(81)])[0]
    np.testing.assert_allclose(ours, np.logaddexp.accumulate(mass)[y], rtol=1e-9, atol=1e-9)
