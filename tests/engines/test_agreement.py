"""Both engines run the same program text, and give the same density at the same points.

Compared at constrained points: their unconstrained scales differ for simplexes, which Stan has
mapped by isometric log-ratios since 2.37 and by stick-breaking before. That moves the log density
by half of log K for each simplex, and turns the gradient inside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import stanli

import stanmix as sm
from stanmix.data import read_table
from stanmix.engines import engine
from stanmix.engines.cmdstan import CmdStan
from stanmix.inits import starting_points
from stanmix.program.rows import arrange
from stanmix.program.standata import standata
from tests.cases import CASES, FRAME, Case

pytestmark = pytest.mark.engine

ILR_SINCE = (2, 37)


@pytest.fixture(scope="module")
def engines(cmdstan: CmdStan) -> tuple[Any, Any]:
    return engine("stanli"), cmdstan


def smallest(model: sm.Model) -> sm.Model | None:
    """The same program with one component and one row; None where its text holds K."""
    indexed = any(entry.index for p in model.spec.parameters for entry in p.priors)
    labelled = model.spec.allowed is not None or model.spec.known is not None
    if not model.spec.homogeneous or indexed or labelled:
        return None
    spec = replace(model.spec, K=1)
    columns = {name: column.iloc[:1] for name, column in model.table.columns.items()}
    table = read_table(columns)
    rows = arrange(spec, table)
    data = standata(spec, table, rows, model.encoded)
    return sm.Model(spec, table, rows, model.encoded, data)


def is_simplex(model: sm.Model, name: str) -> bool:
    """Whether a sampled variable holds one or more simplexes."""
    simplexes = {p.name for p in model.spec.parameters if p.constraint == "simplex"}
    return name in simplexes or name.startswith("transition_from_")


def unconstrained_sizes(model: sm.Model) -> list[tuple[str, int, bool]]:
    """Sampled variables in order: name, unconstrained coordinates, whether simplexes."""
    values = point(model)
    sizes = []
    for name in model.program.parameters:
        shape = values[name].shape
        if is_simplex(model, name):
            sizes.append((name, int(np.prod(shape[:-1])) * (shape[-1] - 1), True))
        elif name.endswith("_cholesky"):
            pairs = shape[-1] * (shape[-1] - 1) // 2
            sizes.append((name, int(np.prod(shape[:-2])) * pairs, False))
        else:
            sizes.append((name, int(np.prod(shape)), False))
    return sizes


def point(model: sm.Model, seed: int = 1) -> dict[str, np.ndarray]:
    return next(starting_points(model.spec, model.data, model.rows, np.random.default_rng(seed)))


def stick_breaking(simplex: np.ndarray) -> np.ndarray:
    """Stan's unconstrained coordinates of a simplex before 2.37."""
    K = len(simplex)
    left = 1 - np.concatenate([[0.0], np.cumsum(simplex)[:-2]])
    share = simplex[:-1] / left
    return np.log(share / (1 - share)) + np.log(np.arange(K - 1, 0, -1))


def require_equal(model: sm.Model, engines: tuple[Any, Any]) -> None:
    """Densities and gradients agree at a few points."""
    ours, theirs = engines
    stick = tuple(map(int, theirs.version.split(".")[:2])) < ILR_SINCE
    for seed in range(3):
        values = point(model, seed)
        a, gradient_a = ours.log_density(model.program, model.data, values)
        b, gradient_b = theirs.log_density(model.program, model.data, values)
        simplexes = [v for n, v in values.items() if is_simplex(model, n)]
        halves = [0.5 * np.prod(v.shape[:-1]) * np.log(v.shape[-1]) for v in simplexes]
        constant = sum(halves) if stick else 0.0
        assert a - b == pytest.approx(constant, abs=1e-8 * max(1.0, abs(a))), seed
        start = 0
        for name, size, simplex in unconstrained_sizes(model):
            part = slice(start, start + size)
            if not simplex or not stick:
                scale = np.abs(gradient_a[part]).max(initial=1.0)
                np.testing.assert_allclose(
                    gradient_a[part], gradient_b[part], rtol=0, atol=1e-8 * scale, err_msg=name
                )
            start += size
        assert start == len(gradient_a) == len(gradient_b)


COMPILED = {
    "normal",
    "full",
    "columns",
    "units",
    "unit_hmm",
    "switches",
    "poisson_series",
    "lognormal",
    "ordered_between",
    "regressions",
    "regressions_of_some",
    "groups",
    "moves",
    "experts",
    "some_moves",
    "gaps",
    "missing",
    "missing_columns",
    "known",
    "classes",
    "angles",
    "limits",
}
"""Cases that are compiled by `make test`; a program takes half a minute."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[] if case.name in COMPILED else [pytest.mark.slow])
        for case in CASES
    ],
    ids=lambda case: case.name,
)
def test_density_and_gradient_are_the_same(case: Case, engines: tuple[Any, Any]) -> None:
    model = sm.model(case.formula, case.data, priors=case.priors)
    require_equal(model, engines)
    least = smallest(model)
    if least is not None:
        require_equal(least, engines)


def test_inside_a_simplex_the_slope_along_a_line_is_the_same(engines: tuple[Any, Any]) -> None:
    model = sm.model("y ~ mix(normal, K=3)", FRAME)
    ours, theirs = engines
    stick = tuple(map(int, theirs.version.split(".")[:2])) < ILR_SINCE
    values = point(model) | {"weights": np.array([0.2, 0.5, 0.3])}
    ready = stanli.Model(stan_code=model.code, data=dict(model.data))

    def ilr(weights: np.ndarray) -> np.ndarray:
        moved = {name: value.tolist() for name, value in (values | {"weights": weights}).items()}
        return ready.unconstrain(moved)[-2:]

    step, direction = 1e-6, np.array([1.0, -2.0, 1.0])
    ahead, behind = (values["weights"] + s * step * direction for s in (1, -1))
    slopes = []
    for runner, coordinates in ((ours, ilr), (theirs, stick_breaking if stick else ilr)):
        _, gradient = runner.log_density(model.program, model.data, values)
        moved = (coordinates(ahead) - coordinates(behind)) / (2 * step)
        slopes.append(gradient[-2:] @ moved)
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-6)


def test_questions_are_answered_alike(engines: tuple[Any, Any]) -> None:
    case = next(c for c in CASES if c.name == "race")
    model = sm.model(case.formula, case.data, priors=case.priors)
    data = standata(model.spec, model.table, model.rows, model.encoded, emit=True)
    draws = [point(model, seed) for seed in range(4)]
    parameters = {n: np.stack([d[n] for d in draws]) for n in model.program.parameters}
    answers = [e.generate(model.program, data, parameters, ["log_omega"]) for e in engines]
    np.testing.assert_allclose(answers[0]["log_omega"], answers[1]["log_omega"], rtol=1e-10)


def test_questions_have_the_same_answers(cmdstan: CmdStan) -> None:
    y = np.concatenate([FRAME["y"].to_numpy(), 9 + FRAME["x"].to_numpy()])
    fit = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", seed=1, draws=200)
    ours, theirs = fit.log_omega(), fit.answered_by(cmdstan).log_omega()
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
