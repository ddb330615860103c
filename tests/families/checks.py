"""What every family must fulfil, checked from its declaration alone."""

from __future__ import annotations

import numpy as np
import stanli
from scipy import stats

from stanmix.program.resources import folder, functions
from tests.families.stan import (
    Evaluate,
    emission_head,
    emissions,
    gradient_model,
    point,
    stan_function,
)
from tests.families.variants import (
    CHOICES,
    TRIALS,
    Params,
    Uniform,
    Variant,
    log_reference,
    outside_response,
    some_params,
    some_response,
)

ALPHA = 1e-4
"""Level of the tests of draws, whose seeds are fixed."""


def has_log_cumulative(variant: Variant) -> bool:
    """Whether there is a distribution function: of one column, which may come with trials."""
    return (
        not variant.many
        and not variant.chooses
        and variant.columns[0].kind
        not in (
            "angle",
            "category",
        )
    )


def check_heads(variant: Variant) -> None:
    """Every function is there under the head that the declaration gives, with a comment."""
    names = ["log_omega", "log_cumulative"] if has_log_cumulative(variant) else ["log_omega"]
    heads = [variant.family.signature(variant.additions, name) for name in names]
    for head in [*heads, emission_head(variant)]:
        assert head in functions(), f"no Stan function `{head}`"
        assert functions()[head].text.startswith("//"), f"`{head}` has no comment above it"


def check_comment(variant: Variant) -> None:
    """The comment at the top of the Stan file says what each parameter is."""
    text = (folder("stan") / "families" / f"{variant.family.stan}.stan").read_text("utf-8")
    for param in variant.family.params:
        assert param.name in text.split("\n\n")[0], f"the comment on top leaves out `{param.name}`"


def check_density(variant: Variant, evaluate: Evaluate, uniform: Uniform, columns: int = 2) -> None:
    """The density equals the reference."""
    params = some_params(variant, uniform, columns)
    response = some_response(variant, params, uniform)
    _assert_equal(evaluate(params, response), log_reference(variant, params, response))


def check_outside(variant: Variant, evaluate: Evaluate, uniform: Uniform) -> None:
    """Outside the support the density is minus infinity, and other rows are not touched."""
    params = some_params(variant, uniform)
    response = outside_response(variant, params, some_response(variant, params, uniform))
    theirs = log_reference(variant, params, response)
    ours = evaluate(params, response)
    # At its edge a density may be infinite, and scipy is undefined for impossible trials.
    outside = np.isnan(theirs) | np.isinf(theirs)
    assert (ours[outside] == -np.inf).all()
    _assert_equal(ours[~outside], theirs[~outside])


def check_log_cumulative(variant: Variant, evaluate: Evaluate, uniform: Uniform) -> None:
    """The log distribution function equals the reference, inside and outside the support."""
    params = some_params(variant, uniform)
    response = outside_response(variant, params, some_response(variant, params, uniform))
    with np.errstate(all="ignore"):
        theirs = np.asarray(variant.family.reference(**params).logcdf(*response))
    known = ~np.isnan(theirs)
    _assert_equal(evaluate(params, response)[known], theirs[known])


def check_rows(variant: Variant, uniform: Uniform, name: str = "log_omega") -> None:
    """A parameter that varies by row gives each row what its own value does.

    Tried with each parameter alone and with all together, inside and outside the support.
    """
    free = [p.name for p in variant.family.params if p.varies]
    first = some_params(variant, uniform)
    response = some_response(variant, first, uniform)
    response = outside_response(variant, first, response) if not variant.many else response
    rows = response[-1].shape[-1]
    values = [some_params(variant, uniform) for _ in range(rows)]
    alone = stan_function(variant, name)
    for names in {frozenset([n]) for n in free} | {frozenset(free)}:
        at = [{**first, **{n: v[n] for n in names}} for v in values]
        together = {**first, **{n: np.stack([v[n] for v in values], axis=-1) for n in names}}
        ours = stan_function(variant, name, names)(together, response)
        each = [alone(p, [c[..., [i]] for c in response])[0] for i, p in enumerate(at)]
        _assert_equal(ours, np.array(each), 1e-12)


def check_total(variant: Variant, evaluate: Evaluate, uniform: Uniform) -> None:
    """The density integrates or sums to one; that of several columns, with one column."""
    params = some_params(variant, uniform, columns=1)
    points, weights = _support(variant, params)
    np.testing.assert_allclose(_densities(variant, evaluate, params, points) @ weights, 1, 1e-8)


def check_gradient(variant: Variant, uniform: Uniform) -> None:
    """The gradient is that of central differences, whatever rows are outside the support.

    A row at an edge that a parameter moves has no derivative by it.
    """
    params = some_params(variant, uniform)
    response = some_response(variant, params, uniform)
    response = outside_response(variant, params, response) if not variant.many else response
    if any(p.below for p in variant.family.params):
        away = response[0] != variant.shift(params)
        response = [column[away] for column in response]
    model = gradient_model(variant, params, response)
    here = point(variant, params)
    gradient = model.log_prob_grad(here)[1]
    np.testing.assert_allclose(gradient, _slopes(model, here), rtol=1e-5, atol=1e-5)


def check_edges(variant: Variant, uniform: Uniform) -> None:
    """Density and gradient are finite with any parameter next to a bound, or far away."""
    params = some_params(variant, uniform)
    response = some_response(variant, params, uniform)
    model = gradient_model(variant, params, response)
    for param in variant.family.params:
        if param.correlation or param.simplex:
            continue
        low = -1e6 if param.lower is None else param.lower + 1e-9
        high = 1e6 if param.upper is None else param.upper - 1e-9
        first = response[0].min()
        for edge in [low, high, *([first, first - 1e-9] if param.below else [])]:
            moved = {**params, param.name: np.full_like(params[param.name], edge)}
            density, gradient = model.log_prob_grad(point(variant, moved))
            assert np.isfinite(density), f"{param.name} = {edge}: density {density}"
            assert np.isfinite(gradient).all(), f"{param.name} = {edge}: gradient {gradient}"


def check_start(variant: Variant, uniform: Uniform) -> None:
    """Rough estimates lie within bounds and fit the rows, however few or alike these are."""
    params = some_params(variant, uniform)
    rows = some_response(variant, params, uniform, rows=40)
    for few in (slice(0, 40), slice(0, 2), slice(0, 1), np.zeros(7, dtype=int)):
        response = [column[..., few] for column in rows]
        start = variant.family.start(*response, **variant.choices)
        assert list(start) == [p.name for p in variant.family.params]
        for param in variant.family.params:
            value = np.asarray(start[param.name])
            assert value.shape == np.shape(params[param.name])
            assert np.isfinite(value).all()
            assert param.lower is None or (value > param.lower).all()
            assert param.upper is None or (value < param.upper).all()
        assert np.isfinite(log_reference(variant, start, response)).all()


def check_draws(variant: Variant, evaluate: Evaluate, uniform: Uniform, rows: int = 5000) -> None:
    """Draws have the distribution of the density: of one column, else of each and a mixture."""
    params = some_params(variant, uniform)
    drawn = emissions(variant, params, rows, seed=int(uniform(0, 1e6)))
    if variant.many:
        _check_many_draws(variant, params, drawn)
        return
    points, weights = _support(variant, params)
    density = _densities(variant, evaluate, params, points, by_choice=True)
    expected = density @ weights
    if variant.chooses:
        observed = np.bincount(drawn[:, 1].astype(int), minlength=variant.choices["A"] + 1)[1:]
        assert stats.chisquare(observed, rows * expected / expected.sum()).pvalue > ALPHA
    if variant.discrete:
        first = 1 if variant.columns[0].kind == "category" else 0
        _check_counts(drawn.astype(int) - first, density[0])
        return
    mass = density.sum(axis=0) * weights
    cumulative = np.cumsum(mass) - mass / 2
    first = drawn[:, 0] if variant.chooses else drawn
    assert stats.kstest(first, lambda y: np.interp(y, points, cumulative)).pvalue > ALPHA


def _check_counts(drawn: np.ndarray, mass: np.ndarray) -> None:
    """Compare counts with probabilities, with rare counts taken together."""
    expected = mass * len(drawn)
    observed = np.bincount(drawn, minlength=len(mass))
    rare = expected < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    expected = expected + 1e-9
    expected *= observed.sum() / expected.sum()
    assert stats.chisquare(observed, expected).pvalue > ALPHA


def _check_many_draws(variant: Variant, params: Params, drawn: np.ndarray) -> None:
    """Compare projections with the projections of as many draws of the reference."""
    rng = np.random.default_rng(1)
    theirs = variant.family.reference(**params).rvs(20 * drawn.shape[1], random_state=rng)
    for direction in [*np.eye(len(drawn)), *rng.normal(size=(2, len(drawn)))]:
        assert stats.ks_2samp(direction @ drawn, direction @ theirs).pvalue > ALPHA


def _assert_equal(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-9) -> None:
    """Equal to `tolerance` of the value, or of 1 where the value is smaller."""
    np.testing.assert_array_equal(np.isinf(ours), np.isinf(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def _support(variant: Variant, params: Params) -> tuple[np.ndarray, np.ndarray]:
    """Points all over the support of the first column, and the weights of a sum over them."""
    kind = variant.columns[0].kind
    if kind == "category":
        return np.arange(1, CHOICES + 1), np.ones(CHOICES)
    if variant.discrete:
        top = 2 if kind == "binary" else TRIALS + 1 if variant.tries else 400
        return np.arange(top), np.ones(top)
    # A composite Gauss-Legendre rule on a scale where no density is narrow or long; an edge is
    # where a density may have a kink.
    nodes, weights = np.polynomial.legendre.leggauss(8)
    turn = (-np.pi, np.pi)
    ends = {"real": (-40, 40), "unit": (-36, 36), "positive": (-120, 160), "angle": turn}[kind]
    edges = np.linspace(*ends, int(5 * (ends[1] - ends[0])) + 1)
    if kind == "real" and not variant.many:
        edges = np.sort(np.append(edges, np.arcsinh(params["mu"])))
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half * (1 + nodes)).ravel()
    dx = (half * weights).ravel()
    if kind == "angle":
        return x, dx
    if kind == "unit":
        inside = 1 / (1 + np.exp(-x))
        return inside, dx * inside * (1 - inside)
    if kind == "positive":
        return variant.shift(params) + np.exp(x), dx * np.exp(x)
    return np.sinh(x), dx * np.cosh(x)


def _densities(
    variant: Variant,
    evaluate: Evaluate,
    params: Params,
    points: np.ndarray,
    by_choice: bool = False,
) -> np.ndarray:
    """Density at points of the first column, summed over choices or with a row for each."""
    if variant.many:
        return np.exp(evaluate(params, [points[None, :]]))
    ones = np.ones(len(points), dtype=int)
    others = [[TRIALS * ones]] if variant.tries else [[]]
    if variant.chooses:
        others = [[(choice + 1) * ones] for choice in range(variant.choices["A"])]
    rows = np.exp([evaluate(params, [points, *rest]) for rest in others])
    return rows if by_choice else rows.sum(axis=0)


def _slopes(model: stanli.Model, here: np.ndarray) -> np.ndarray:
    """Central differences of a program's density."""
    slopes = []
    for step in np.diag(1e-5 * np.maximum(1, np.abs(here))):
        rise = model.log_prob_grad(here + step)[0] - model.log_prob_grad(here - step)[0]
        slopes.append(rise / (2 * step.max()))
    return np.array(slopes)
