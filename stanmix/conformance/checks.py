"""What every family must fulfil, checked from its declaration alone.

Each check takes a family on an engine and something that gives numbers to try it with, and raises
SpecError with what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stanmix.conformance.stan import StanSide
from stanmix.conformance.trials import (
    CHOICES,
    TRIALS,
    Params,
    Response,
    Uniform,
    Variant,
    log_reference,
    outside_response,
    some_params,
    some_response,
)
from stanmix.errors import SpecError

Array = NDArray[np.float64]

CUMULATIVE = {"log_cumulative": "logcdf", "log_survival": "logsf"}
"""The functions of a family that has a distribution function, here and in the reference."""

ALPHA = 1e-4
"""Level of the tests of draws, whose seeds are fixed."""

EXACT = 1e-9
"""How near our values are to those of the reference: of the value, or of 1 where it is smaller."""


def require_density(side: StanSide, uniform: Uniform, columns: int = 2) -> None:
    """The density equals the reference."""
    params = some_params(side.variant, uniform, columns)
    response = some_response(side.variant, params, uniform)
    ours = side.values("log_omega", [params], response)[0]
    _require_equal("log_omega", ours, log_reference(side.variant, params, response), params)


def require_outside(side: StanSide, uniform: Uniform) -> None:
    """Outside the support the density is minus infinity, and other rows are not touched."""
    params = some_params(side.variant, uniform)
    response = some_response(side.variant, params, uniform)
    response = outside_response(side.variant, params, response)
    theirs = log_reference(side.variant, params, response)
    ours = side.values("log_omega", [params], response)[0]
    # At its edge a density may be infinite, and scipy is undefined for impossible trials.
    outside = np.isnan(theirs) | np.isinf(theirs)
    if not (ours[outside] == -np.inf).all():
        raise SpecError(f"`log_omega` is not minus infinity outside the support{_at(params)}.")
    _require_equal("log_omega", ours[~outside], theirs[~outside], params)


def require_log_cumulative(side: StanSide, uniform: Uniform, name: str = "log_cumulative") -> None:
    """The log distribution function, or survival, equals the reference, outside the support too."""
    params = some_params(side.variant, uniform)
    response = some_response(side.variant, params, uniform)
    response = outside_response(side.variant, params, response)
    reference = side.variant.family.reference(**params)
    with np.errstate(all="ignore"):
        theirs = np.asarray(getattr(reference, CUMULATIVE[name])(*response))
    ours = side.values(name, [params], response)[0]
    # Beyond 1e-300 what scipy has underflows or lacks digits; scipy is undefined for impossible
    # trials.
    known = (theirs > -690) | (theirs == -np.inf) & (ours == -np.inf)
    _require_equal(name, ours[known], theirs[known], params)
    if not (ours[~known & ~np.isnan(theirs)] < -600).all():
        raise SpecError(f"`{name}` is not small where the reference is 0{_at(params)}.")


def require_rows(side: StanSide, uniform: Uniform, name: str = "log_omega") -> None:
    """A parameter that varies by row gives each row what its own value does.

    Tried with each parameter alone and with all together, inside and outside the support.
    """
    variant = side.variant
    free = [p.name for p in variant.family.params if p.varies]
    first = some_params(variant, uniform)
    response = some_response(variant, first, uniform)
    response = outside_response(variant, first, response) if not variant.many else response
    rows = response[-1].shape[-1]
    values = [some_params(variant, uniform) for _ in range(rows)]
    for names in {frozenset([n]) for n in free} | {frozenset(free)}:
        each = [{**first, **{n: v[n] for n in names}} for v in values]
        together = {**first, **_by_row(values, names)}
        ours = side.values(name, [together], response, names)[0]
        theirs = np.diagonal(side.values(name, each, response))
        what = f"{name} with {', '.join(sorted(names))} by row"
        _require_equal(what, ours, theirs, first, 1e-12, "its value with a row's own parameters")


def require_total(side: StanSide, uniform: Uniform) -> None:
    """The density integrates or sums to one; that of several columns, with one that is free."""
    columns = 2 if side.variant.columns[0].kind == "simplex" else 1
    params = some_params(side.variant, uniform, columns)
    points, weights = _support(side.variant, params)
    total = float(_densities(side, params, points).sum(axis=0) @ weights)
    if not abs(total - 1) < 1e-8:
        raise SpecError(f"The density has a total of {total:.9g}, not 1{_at(params)}.")


def require_gradient(side: StanSide, uniform: Uniform, name: str = "log_omega") -> None:
    """The gradient is that of central differences, whatever rows are outside the support.

    A row at an edge that a parameter moves has no derivative by it.
    """
    variant = side.variant
    params = some_params(variant, uniform)
    response = some_response(variant, params, uniform)
    response = outside_response(variant, params, response) if not variant.many else response
    if any(p.below for p in variant.family.params):
        away = response[0] != variant.shift(params)
        response = [column[away] for column in response]
    _require_slopes(side, name, side.stan_params(params), response)


def require_gradient_by_row(side: StanSide, uniform: Uniform, name: str = "log_omega") -> None:
    """The gradient is that of central differences where all that can vary by row does."""
    variant = side.variant
    response = some_response(variant, some_params(variant, uniform), uniform)
    values = [some_params(variant, uniform) for _ in range(response[-1].shape[-1])]
    by_row = frozenset(p.name for p in variant.family.params if p.varies)
    together = {**values[0], **_by_row(values, by_row)}
    _require_slopes(side, name, side.stan_params(together, by_row), response, by_row)


def _by_row(values: Sequence[Params], names: frozenset[str]) -> dict[str, Any]:
    """Some parameters with a value for each row, along their last axis."""
    return {name: np.stack([each[name] for each in values], axis=-1) for name in names}


def _require_slopes(
    side: StanSide,
    name: str,
    here: Mapping[str, Array],
    response: Response,
    by_row: frozenset[str] = frozenset(),
) -> None:
    """Raise SpecError unless the gradient of a function is that of central differences."""
    gradient = side.log_density(name, here, response, by_row)[1]
    kinds = [p.argument(by_row=p.name in by_row) for p in side.variant.family.params]
    arrays = {own for kind, own in kinds if "array" in kind}
    slopes = _slopes(lambda at: side.log_density(name, at, response, by_row)[0], here, arrays)
    apart = np.abs(gradient - slopes) > 1e-5 * (1 + np.abs(slopes))
    if not np.isfinite(gradient).all() or apart.any():
        raise SpecError(
            f"The gradient of `{name}` is {_shown(gradient)}, and by differences "
            f"{_shown(slopes)}{_at(here)}."
        )


def require_edges(side: StanSide, uniform: Uniform, name: str = "log_omega") -> None:
    """Density and gradient are finite with any parameter next to a bound, or far away."""
    params = some_params(side.variant, uniform)
    response = some_response(side.variant, params, uniform)
    for param in side.variant.family.params:
        if param.correlation or param.simplex:
            continue
        low = -1e6 if param.lower is None else param.lower + 1e-9
        high = 1e6 if param.upper is None else param.upper - 1e-9
        first = response[0].min()
        for edge in [low, high, *([first, first - 1e-9] if param.below else [])]:
            place = np.full_like(params[param.name], edge)
            place = place + np.arange(place.size) if param.increasing else place
            moved = {**params, param.name: place}
            density, gradient = side.log_density(name, side.stan_params(moved), response)
            if not (np.isfinite(density) and np.isfinite(gradient).all()):
                raise SpecError(
                    f"`{name}` or its gradient is not finite{_at(moved)}: {density:.3g}, "
                    f"{_shown(gradient)}."
                )


def require_score(side: StanSide, uniform: Uniform) -> None:
    """The score is the derivative of the log density by the response."""
    variant = side.variant
    params = some_params(variant, uniform)
    (response,) = some_response(variant, params, uniform)
    score = variant.family.score
    ours = np.atleast_2d(score(response, **params) if score else np.nan)
    rows, kind = np.atleast_2d(response), variant.columns[0].kind
    room = {"positive": rows - variant.shift(params), "unit": rows * (1 - rows)}
    step = 1e-5 * np.abs(room.get(kind, np.ones_like(rows)))
    slopes = np.empty_like(rows)
    for place in range(len(rows)):
        moved = np.zeros_like(rows)
        moved[place] = step[place]
        up, down = (
            log_reference(variant, params, [np.reshape(rows + way * moved, response.shape)])
            for way in (1, -1)
        )
        with np.errstate(invalid="ignore"):
            slopes[place] = (up - down) / (2 * step[place])
    # Outside the support there is no density.
    known = np.isfinite(slopes)
    apart = known & ~(np.abs(ours - slopes) < 1e-5 * (1 + np.abs(slopes)))
    if apart.any():
        raise SpecError(
            f"`score` is {_shown(ours)}, and by differences {_shown(slopes)}{_at(params)}."
        )


def require_start(side: StanSide, uniform: Uniform) -> None:
    """Rough estimates lie within bounds and fit the rows, however few or alike these are."""
    variant = side.variant
    params = some_params(variant, uniform)
    rows = some_response(variant, params, uniform, rows=40)
    for few in (slice(0, 40), slice(0, 2), slice(0, 1), np.zeros(7, dtype=int)):
        response = [column[..., few] for column in rows]
        start = variant.family.started(*response, **variant.choices)
        if list(start) != [p.name for p in variant.family.params]:
            raise SpecError(f"`start` gives {list(start)}, which are not the parameters.")
        for param in variant.family.params:
            value = np.asarray(start[param.name])
            proper = value.shape == np.shape(params[param.name]) and np.isfinite(value).all()
            proper &= param.lower is None or bool((value > param.lower).all())
            proper &= param.upper is None or bool((value < param.upper).all())
            if not proper:
                raise SpecError(f"`start` gives {param.name} = {value}, which it cannot be.")
        if not np.isfinite(log_reference(variant, start, response)).all():
            raise SpecError(f"Rows are impossible where they start{_at(start)}.")


def require_reference_draws(side: StanSide, uniform: Uniform, rows: int = 5000) -> None:
    """Draws of the reference have the distribution of the density."""
    params, rng = some_params(side.variant, uniform), np.random.default_rng(int(uniform(0, 1e6)))
    given = {"trials": np.full(rows, TRIALS)} if side.variant.tries else side.variant.choices
    reference = side.variant.family.reference(**params)
    _require_distribution(side, params, np.asarray(reference.rvs(rows, random_state=rng, **given)))


def require_draws(side: StanSide, uniform: Uniform, rows: int = 5000) -> None:
    """Draws of the Stan function have the distribution of the density."""
    params = some_params(side.variant, uniform)
    _require_distribution(side, params, side.emissions(params, rows, seed=int(uniform(0, 1e6))))


def _require_distribution(side: StanSide, params: Params, drawn: Array) -> None:
    """Raise SpecError unless draws have the distribution of the density.

    Of several columns, each and a mixture of them must have that of other draws of the reference.
    """
    variant = side.variant
    if variant.many:
        _require_projections(variant, params, drawn)
        return
    points, weights = _support(variant, params)
    density = _densities(side, params, points)
    expected = density @ weights
    if variant.chooses:
        observed = np.bincount(drawn[:, 1].astype(int), minlength=variant.choices["A"] + 1)[1:]
        chances = len(drawn) * expected / expected.sum()
        _require_likely("Choices", stats.chisquare(observed, chances).pvalue, params)
    if variant.discrete:
        first = 1 if variant.columns[0].kind == "category" else 0
        _require_likely("Draws", _counts_pvalue(drawn.astype(int) - first, density[0]), params)
        return
    mass = density.sum(axis=0) * weights
    cumulative = np.cumsum(mass) - mass / 2
    numbers = drawn[:, 0] if variant.chooses else drawn
    test = stats.kstest(numbers, lambda y: np.interp(y, points, cumulative))
    _require_likely("Draws", test.pvalue, params)


def _require_likely(what: str, pvalue: float, params: Params) -> None:
    if not pvalue > ALPHA:
        raise SpecError(
            f"{what} do not have the distribution of the density{_at(params)}: p = {pvalue:.2g}."
        )


def _counts_pvalue(drawn: NDArray[np.int64], mass: Array) -> float:
    """Compare counts with probabilities, with rare counts taken together."""
    expected = mass * len(drawn)
    observed = np.bincount(drawn, minlength=len(mass))
    rare = expected < 5
    if rare.any():
        observed = np.append(observed[~rare], observed[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    expected = expected + 1e-9
    expected *= observed.sum() / expected.sum()
    return float(stats.chisquare(observed, expected).pvalue)


def _require_projections(variant: Variant, params: Params, drawn: Array) -> None:
    """Compare projections with the projections of more draws of the reference."""
    rng = np.random.default_rng(1)
    theirs = variant.family.reference(**params).rvs(20 * drawn.shape[1], random_state=rng)
    for direction in [*np.eye(len(drawn)), *rng.normal(size=(2, len(drawn)))]:
        test = stats.ks_2samp(direction @ drawn, direction @ theirs)
        _require_likely("Draws", test.pvalue, params)


def _require_equal(
    what: str,
    ours: Array,
    theirs: Array,
    params: Params,
    tolerance: float = EXACT,
    said: str = "the reference",
) -> None:
    with np.errstate(invalid="ignore"):
        apart = np.abs(ours - theirs) > tolerance * np.maximum(1, np.abs(theirs))
    apart |= (np.isinf(ours) | np.isinf(theirs)) & (ours != theirs)
    apart |= np.isnan(ours) | np.isnan(theirs)
    if apart.any():
        row = int(np.argmax(apart))
        raise SpecError(
            f"`{what}` is {ours[row]:.12g} where {said} has {theirs[row]:.12g}{_at(params)}."
        )


def _at(params: Mapping[str, Any]) -> str:
    """Where in the parameters something is."""
    return f" at {', '.join(f'{name} = {_shown(value)}' for name, value in params.items())}"


def _shown(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=6, separator=", ")


def _support(variant: Variant, params: Params) -> tuple[NDArray[Any], Array]:
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
    # Odds near 1e15 leave nothing of the other share.
    ends = {
        "real": (-40, 40),
        "unit": (-36, 36),
        "simplex": (-30, 30),
        "positive": (-120, 160),
        "angle": turn,
    }[kind]
    edges = np.linspace(*ends, int(5 * (ends[1] - ends[0])) + 1)
    if kind == "real" and not variant.many:
        places = [params[p.name] for p in variant.family.params if p.link == "identity"]
        edges = np.sort(np.append(edges, np.arcsinh(places)))
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half * (1 + nodes)).ravel()
    dx = (half * weights).ravel()
    if kind == "angle":
        return x, dx
    if kind in ("unit", "simplex"):
        inside = 1 / (1 + np.exp(-x))
        return inside, dx * inside * (1 - inside)
    if kind == "positive":
        return variant.shift(params) + np.exp(x), dx * np.exp(x)
    return np.sinh(x), dx * np.cosh(x)


def _densities(side: StanSide, params: Params, points: Array) -> Array:
    """Density at points of the first column, with a row for each choice there is."""
    variant, ones = side.variant, np.ones(len(points), dtype=int)
    responses: list[Response] = [[points, TRIALS * ones] if variant.tries else [points]]
    if variant.chooses:
        responses = [[points, (choice + 1) * ones] for choice in range(variant.choices["A"])]
    elif variant.columns[0].kind == "simplex":
        responses = [[np.stack([points, 1 - points])]]
    elif variant.many:
        responses = [[points[None, :]]]
    return np.exp([side.values("log_omega", [params], response)[0] for response in responses])


def _slopes(
    density: Callable[[Mapping[str, Array]], float], here: Mapping[str, Array], arrays: set[str]
) -> Array:
    """Central differences of a density by every element of the parameters.

    As in Stan the elements of a matrix are taken by columns, and those of an array one by one.
    """
    slopes = []
    for name, value in here.items():
        turn = 1 if name in arrays else -1
        for turned in np.ndindex(*value.shape[::turn]):
            place = turned[::turn]
            step = np.zeros(value.shape)
            step[place] = 1e-5 * max(1.0, abs(float(value[place])))
            rise = density({**here, name: value + step}) - density({**here, name: value - step})
            slopes.append(rise / (2 * step.max()))
    return np.array(slopes)
