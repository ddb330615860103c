from __future__ import annotations

import json
import math

import mpmath
import numpy as np
import pytest
import stanli
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stanmix.engines import columns
from stanmix.transforms.bijections import Bijection, Bounded, Each, Matrix
from stanmix.transforms.correlations import Correlation
from stanmix.transforms.ordered import Ordered, OrderedBetween, Placed
from stanmix.transforms.simplexes import Moves, Simplex

STAN: dict[str, Bijection] = {
    "real x;": Bounded(),
    "real<lower=-1.5> x;": Bounded((), -1.5),
    "vector<upper=2>[3] x;": Bounded((3,), upper=2.0),
    "array[2] vector<lower=1, upper=4>[3] x;": Bounded((2, 3), 1.0, 4.0),
    "matrix[2, 3] x;": Matrix(2, 3),
    "array[2] matrix[3, 2] x;": Each((2,), Matrix(3, 2)),
    "ordered[4] x;": Ordered(4),
    "array[2] ordered[3] x;": Each((2,), Ordered(3)),
    "positive_ordered[4] x;": Ordered(4, 0.0),
    "simplex[1] x;": Simplex(1),
    "simplex[5] x;": Simplex(5),
    "array[3] simplex[3] x;": Each((3,), Simplex(3)),
    "corr_matrix[2] x;": Correlation(2),
    # From four columns on, Stan's matrix takes its numbers in another order than its factor.
    "array[2] corr_matrix[3] x;": Each((2,), Correlation(3)),
}
"""Each constraint by how Stan declares it."""

OTHERS: list[Bijection] = [
    Correlation(1),
    Correlation(4),
    Moves(((1, 1, 0), (0, 1, 1), (1, 1, 1))),
    OrderedBetween(3, 0.0, 1.0),
    OrderedBetween(2, -1.0, 5.0),
    Placed(3, 2, 1),
    Placed(2, 3, 0, 0.0),
]
"""Those that are put together."""

ALL = [*STAN.values(), *OTHERS]


def built(declared: str, density: str = "") -> stanli.bridgestan_model:
    text = f"parameters {{ real other; {declared} }}\nmodel {{ {density} }}"
    return stanli.bridgestan_model(mir=stanli.stan_to_mir(text), data={}, seed=1)


@pytest.mark.engine
@pytest.mark.parametrize("declared", STAN)
def test_values_and_volumes_are_those_of_stan(declared: str) -> None:
    bijection, model = STAN[declared], built(declared)
    points = np.random.default_rng(1).normal(scale=2, size=(20, model.param_unc_num()))
    names = [name for name in model.param_names() if name]
    theirs = np.array([model.param_constrain(point) for point in points])
    own = points[:, 1:]
    value = columns.unflatten(names, theirs)["x"]
    np.testing.assert_allclose(bijection.constrain(own), value, rtol=1e-10, atol=1e-10)
    back = np.array([model.param_unconstrain(row) for row in theirs])[:, 1:]
    np.testing.assert_allclose(bijection.unconstrain(value), back, rtol=1e-9, atol=1e-9)
    volume = [model.log_density(point) for point in points]
    np.testing.assert_allclose(bijection.log_jacobian(own), volume, rtol=1e-10, atol=1e-10)


@pytest.mark.engine
@pytest.mark.parametrize("count", [2, 4, 6])
def test_correlations_are_those_of_the_factor_that_stan_samples(count: int) -> None:
    # The density of a matrix that is uniform, by its factor, is constant but for the volume.
    uniform = "target += lkj_corr_cholesky_lpdf(x | 1);"
    model = built(f"cholesky_factor_corr[{count}] x;", uniform)
    points = np.random.default_rng(2).normal(size=(10, model.param_unc_num()))
    names = [name for name in model.param_names() if name]
    factor = columns.unflatten(names, np.array([model.param_constrain(p) for p in points]))["x"]
    bijection, own = Correlation(count), points[:, 1:]
    np.testing.assert_allclose(
        bijection.constrain(own), factor @ np.swapaxes(factor, -1, -2), atol=1e-12
    )
    volume = np.array([model.log_density(point) for point in points]) - bijection.log_jacobian(own)
    np.testing.assert_allclose(volume, volume[0], atol=1e-10)


def described(bijection: Bijection) -> str:
    return f"{type(bijection).__name__}{bijection.shape}"


@pytest.mark.parametrize("bijection", ALL, ids=described)
def test_points_come_back_over_any_leading_axes(bijection: Bijection) -> None:
    points = np.random.default_rng(3).normal(scale=0.5, size=(2, 5, bijection.size))
    values = bijection.constrain(points)
    assert values.shape == (2, 5, *bijection.shape)
    np.testing.assert_allclose(bijection.unconstrain(values), points, rtol=1e-9, atol=1e-9)
    assert bijection.log_jacobian(points).shape == (2, 5)
    one = bijection.constrain(points[1, 3])
    np.testing.assert_array_equal(one, values[1, 3])
    np.testing.assert_allclose(
        bijection.log_jacobian(points[1, 3]), bijection.log_jacobian(points)[1, 3], rtol=1e-14
    )


def free(bijection: Bijection, value: np.ndarray) -> np.ndarray:
    """The elements of a value from which the others follow."""
    inner = bijection.inner if isinstance(bijection, Each) else bijection
    if isinstance(inner, Simplex):
        value = value[..., :-1]
    elif isinstance(inner, Correlation):
        value = value[..., *np.triu_indices(inner.count, 1)]
    elif isinstance(inner, Moves):
        last = [max(np.flatnonzero(row)) for row in inner.allowed]
        chosen = np.array(inner.allowed, dtype=bool)
        chosen[np.arange(len(last)), last] = False
        value = value[..., chosen]
    return value.reshape(-1)


@pytest.mark.parametrize("bijection", ALL, ids=described)
def test_the_volume_is_the_determinant_of_the_derivatives(bijection: Bijection) -> None:
    for point in np.random.default_rng(4).normal(size=(3, bijection.size)):
        step = 1e-5
        derivatives = [
            (
                free(bijection, bijection.constrain(point + step * e))
                - free(bijection, bijection.constrain(point - step * e))
            )
            / (2 * step)
            for e in np.eye(bijection.size)
        ]
        matrix = np.array(derivatives).reshape(bijection.size, bijection.size)
        expected = np.linalg.slogdet(matrix)[1] if bijection.size else 0.0
        np.testing.assert_allclose(bijection.log_jacobian(point), expected, atol=1e-8)


numbers = st.floats(-30, 30)


@given(arrays(np.float64, 4, elements=numbers))
def test_any_probabilities_come_back_and_their_volume_is_exact(point: np.ndarray) -> None:
    simplex = Simplex(5)
    value = simplex.constrain(point)
    assert (value > 0).all() and math.isclose(value.sum(), 1, rel_tol=1e-14)
    np.testing.assert_allclose(simplex.unconstrain(value), point, rtol=1e-10, atol=1e-10)
    # The volume of a softmax is the product of all probabilities, by the root of their number.
    exact = 0.5 * math.log(5) + np.log(value).sum()
    np.testing.assert_allclose(simplex.log_jacobian(point), exact, rtol=1e-12, atol=1e-12)


@given(arrays(np.float64, 4, elements=numbers), st.sampled_from([-math.inf, 0.0]))
def test_any_increments_come_back(steps: np.ndarray, lower: float) -> None:
    ordered = Ordered(4, lower)
    value = ordered.constrain(steps)
    assert (np.diff(value) >= 0).all()
    assert ordered.log_jacobian(steps) == steps[1 if math.isinf(lower) else 0 :].sum()


@given(st.floats(-700, 700), st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_the_volume_between_bounds_is_exact(x: float, lower: float, width: float) -> None:
    bounded = Bounded((), lower, lower + width)
    point = np.array([x])
    assert lower <= bounded.constrain(point) <= lower + width
    with mpmath.workdps(700):
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(x)))
        exact = float(mpmath.log(mpmath.mpf((lower + width) - lower) * p * (1 - p)))
    np.testing.assert_allclose(bounded.log_jacobian(point), exact, rtol=1e-13)


@pytest.mark.parametrize("small", [1e-300, 1e-30, 1e-12])
def test_a_tiny_weight_keeps_its_digits(small: float) -> None:
    simplex, weights = Simplex(3), np.array([small, 0.25, 0.75 - small])
    point = simplex.unconstrain(weights)
    back = simplex.constrain(point)
    # A logarithm of -690 holds 13 digits of its number.
    np.testing.assert_allclose(back, weights, rtol=1e-12)
    exact = 0.5 * math.log(3) + math.log(small) + math.log(0.25) + math.log(0.75 - small)
    np.testing.assert_allclose(simplex.log_jacobian(point), exact, rtol=1e-14)


@pytest.mark.parametrize("small", [1e-300, 1e-30, 1e-12])
def test_a_tiny_increment_keeps_its_digits(small: float) -> None:
    ordered, value = Ordered(2), np.array([0.0, small])
    point = ordered.unconstrain(value)
    np.testing.assert_allclose(point, [0.0, math.log(small)], rtol=1e-15)
    np.testing.assert_allclose(ordered.constrain(point), value, rtol=1e-12)
    np.testing.assert_allclose(ordered.log_jacobian(point), math.log(small), rtol=1e-15)


@pytest.mark.parametrize("small", [1e-300, 1e-30, 1e-12])
def test_what_is_close_to_the_lower_of_two_bounds_keeps_its_digits(small: float) -> None:
    bounded = Bounded((), 0.0, 2.0)
    point = bounded.unconstrain(np.array(small))
    np.testing.assert_allclose(bounded.constrain(point), small, rtol=1e-12)
    exact = math.log(small) + math.log1p(-small / 2)
    np.testing.assert_allclose(bounded.log_jacobian(point), exact, rtol=1e-14)


def test_correlations_close_to_1_keep_the_volume() -> None:
    # The determinant of the matrix of three, and the volume, by exact arithmetic.
    point = np.array([9.0, 0.5, -12.0])
    with mpmath.workdps(60):
        x, y, z = map(mpmath.mpf, point)
        rest = [mpmath.log(1 - mpmath.tanh(v) ** 2) for v in (x, y, z)]
        # Of the factor's rows; then of the matrix, by the diagonal of its second row.
        exact = sum(rest) + rest[1] / 2 + rest[0] / 2
    np.testing.assert_allclose(Correlation(3).log_jacobian(point), float(exact), rtol=1e-14)


@pytest.mark.parametrize(
    ("bijection", "value"),
    [
        (Bounded((), 0.0), -0.1),
        (Bounded((), 0.0, 1.0), 1.5),
        (Ordered(2), [1.0, 0.0]),
        (Ordered(2, 0.0), [-1.0, 0.0]),
        (OrderedBetween(2, 0.0, 1.0), [0.5, 1.5]),
        (Simplex(2), [0.0, 1.0]),
        (Simplex(2), [-0.5, 1.5]),
        (Correlation(2), [[1.0, 1.5], [1.5, 1.0]]),
        (Moves(((1, 1), (0, 1))), [[0.5, 0.5], [0.1, 0.9]]),
    ],
    ids=lambda x: described(x) if not isinstance(x, list | float) else "",
)
def test_what_is_beyond_its_bounds_has_no_finite_point(bijection: Bijection, value: object) -> None:
    good = bijection.constrain(np.zeros(bijection.size))
    found = bijection.unconstrain(np.array([good, value]))
    assert np.isfinite(found[0]).all() and not np.isfinite(found[1]).all()


@pytest.mark.parametrize("bijection", ALL, ids=described)
def test_what_describes_it_is_json(bijection: Bijection) -> None:
    described = json.loads(json.dumps(bijection.describe()))
    if bijection.name == "simplex":
        basis = np.array(described["basis"])
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-14)
        np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-14)
