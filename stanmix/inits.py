"""Starting points: from the data, and dispersed, another one for each chain.

Each chain splits the rows into K groups with a generator of its own, takes each family's rough
estimates from the rows of a group, and moves them a little at random.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from stanmix.clusters import cluster, cluster_lines, cluster_pieces, standardise
from stanmix.given import sampled
from stanmix.program.declare import (
    is_placed,
    sampled_name,
)
from stanmix.program.rows import Rows
from stanmix.program.standata import values_by_row
from stanmix.spec import (
    Fixed,
    GroupEffect,
    ModelSpec,
    Parameter,
    Regression,
    Response,
    Term,
    Use,
)

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

JITTER = 0.1
"""How far a chain moves the estimates at random: a tenth of their size or spread."""


def starting_points(
    spec: ModelSpec, data: Mapping[str, Any], rows: Rows, rng: np.random.Generator
) -> Iterator[dict[str, Array]]:
    """Endless starting points for one chain: values of the variables of the parameters block.

    Choices may tell states apart, or cut across them: they count in every other split of the rows.
    Where locations have slopes, every other split is by the lines that rows lie on. And every other
    split is made of pieces put together at random: a wide component may lie about a narrow one, or
    hold what lies apart.

    Parameters
    ----------
    spec, data, rows
        The model, its data block, and how its rows are arranged.
    rng
        The chain's own generator.
    """
    trended = any(_trends(spec, k) for k in range(spec.K))
    ways = itertools.product((True, False), (trended, False), (False, True))
    for choices, lines, pieces in itertools.cycle(ways):
        groups = _group_units(spec, data, rows, choices, lines, pieces, rng)
        yield _starting_point(spec, data, rows, groups, rng)


def _starting_point(
    spec: ModelSpec,
    data: Mapping[str, Any],
    rows: Rows,
    groups: Integers,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """A starting point from a split of the units into groups."""
    by_row = np.repeat(groups, rows.unit_size)
    estimates = _estimates(spec, data, by_row)
    order = _component_order(spec, data, by_row, estimates, rng)
    labels = np.argsort(order)[groups]
    values: dict[str, Array] = {}
    estimated = {name for groups in estimates for found in groups for name in found}
    for parameter in spec.parameters:
        if parameter.name in estimated:
            value = _gather(spec, parameter, estimates, order)
            values |= sampled(spec, parameter, _jittered(spec, parameter, value, rng))
        elif parameter.constraint != "simplex":
            values |= _regression_values(spec, parameter, rng)
    for regression in spec.regressions:
        for effect in regression.groups:
            shape = effect_shape(spec, regression, effect)
            values[f"z_{effect.name}"] = rng.normal(0.0, JITTER, shape)
    return values | _latent_values(spec, labels, rows, rng)


def _regression_values(
    spec: ModelSpec, parameter: Parameter, rng: np.random.Generator
) -> dict[str, Array]:
    """What no family has a rough value of: slopes near 0, and the spread of groups."""
    shape = tuple(spec.sizes[axis] for axis in parameter.axes)
    if parameter.constraint == "correlation":
        return sampled(spec, parameter, np.broadcast_to(np.eye(shape[-1]), shape).copy())
    if parameter.is_slope:
        return sampled(spec, parameter, _jittered(spec, parameter, np.zeros(shape), rng))
    named = [c.value for c in spec.constants if c.name == f"{parameter.name}_scale"]
    scales = named[0] if named else 1.0
    return sampled(spec, parameter, np.full(shape, scales) * np.exp(rng.normal(-1, JITTER, shape)))


def effect_shape(spec: ModelSpec, regression: Regression, effect: GroupEffect) -> tuple[int, ...]:
    """The shape of the standard normal effects of groups, as they are sampled."""
    first = (spec.sizes[axis] for axis in spec.axes_of(regression))
    return (*first, len(effect.columns), len(effect.group.levels))


def _group_units(
    spec: ModelSpec,
    data: Mapping[str, Any],
    rows: Rows,
    choices: bool,
    lines: bool,
    pieces: bool,
    rng: np.random.Generator,
) -> Integers:
    """A group for every unit, in the order of the data block.

    From choices as well, or not; by the lines on which the rows lie, or by where they lie, in whole
    or in pieces that are put together at random.
    """
    kept = [r for r in spec.responses if r.value is None and (choices or r.kind != "choice")]
    features = np.column_stack([_feature(r, data) for r in kept])
    features = standardise(features)
    starts = rows.heads
    if lines:
        designs = {r: data[f"X_{r.name}"] for k in range(spec.K) for r in _trends(spec, k).values()}
        return cluster_lines(features, np.column_stack(list(designs.values())), starts, spec.K, rng)
    means = np.add.reduceat(features, starts, axis=0) / rows.unit_size[:, None]
    return (cluster_pieces if pieces else cluster)(means, spec.K, rng)


def _feature(response: Response, data: Mapping[str, Any]) -> Array:
    """A response on a scale where groups are about equally wide; its median where it is missing."""
    values = values_by_row(response, data)
    if response.kind == "positive":
        values = np.log(values)
    elif response.kind == "unit":
        values = np.log(values) - np.log1p(-values)
    elif response.kind == "simplex":
        values = np.log(values) - np.log(values).mean(axis=0)
    elif response.kind == "count":
        values = np.sqrt(values)
    elif response.kind == "category":
        codes = np.arange(1, len(response.labels) + 1)[:, None]
        values = np.where(np.isnan(values), np.nan, values == codes)
    elif response.kind == "angle":
        values = np.stack([np.cos(values), np.sin(values)])
    if np.isnan(values).any():
        own = [column[~np.isnan(column)] for column in np.atleast_2d(values)]
        middle = [np.median(column) if column.size else 0.0 for column in own]
        values = np.where(np.isnan(values), np.reshape(middle, (*values.shape[:-1], 1)), values)
    return values.T


Estimates = list[list[dict[str, Any]]]
"""By component and group: rough values of the component's parameters, by parameter of the model."""


def _estimates(spec: ModelSpec, data: Mapping[str, Any], group: Integers) -> Estimates:
    by_group: Estimates = []
    for component in range(spec.K):
        by_group.append(
            [_component_estimates(spec, component, data, group == g) for g in range(spec.K)]
        )
        if spec.homogeneous:
            return by_group * spec.K
    return by_group


def _component_estimates(
    spec: ModelSpec, component: int, data: Mapping[str, Any], chosen: NDArray[np.bool_]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    trends = _trends(spec, component)
    for term in spec.component(component):
        slopes = {}
        for argument in term.arguments:
            if isinstance(argument, Use) and argument.regression:
                regression = spec.regression(argument.regression)
                if regression.along is None:
                    slopes[regression] = np.zeros(len(regression.columns))
        if term in trends:
            slopes[trends[term]] = _slopes(spec, data, term, trends[term], chosen)
        values = _start(spec, term, data, chosen, slopes)
        for param, argument in zip(term.declaration.params, term.arguments, strict=True):
            if isinstance(argument, Use) and argument.parameter:
                found[argument.parameter] = values[param.name]
        found |= {r.coefficients: values for r, values in slopes.items() if r.columns}
    return found


def _trends(spec: ModelSpec, component: int) -> dict[Term, Regression]:
    """The linear regressions of locations in a component, by the family of which they are."""
    return {
        term: regression
        for term in spec.component(component)
        for param, argument in zip(term.declaration.params, term.arguments, strict=True)
        if param.orders and isinstance(argument, Use) and argument.regression
        if (regression := spec.regression(argument.regression)).link == "identity"
        if regression.columns and spec.response(term.responses[0]).kind == "real"
        if regression.along is None
    }


def _slopes(
    spec: ModelSpec,
    data: Mapping[str, Any],
    term: Term,
    regression: Regression,
    chosen: NDArray[np.bool_],
) -> Array:
    """Slopes by least squares in some rows; 0 where there are too few."""
    X = np.asarray(data[f"X_{regression.name}"])[chosen]
    y = values_by_row(spec.response(term.responses[0]), data)[chosen]
    X, y = X[~np.isnan(y)], y[~np.isnan(y)]
    if len(X) < X.shape[1] + 2:
        return np.zeros(X.shape[1])
    lead = np.ones((len(X), 1 if regression.parameter else 0))
    fitted = np.linalg.lstsq(np.column_stack([lead, X]), y)[0]
    return np.asarray(fitted[lead.shape[1] :])


def _start(
    spec: ModelSpec,
    term: Term,
    data: Mapping[str, Any],
    chosen: NDArray[np.bool_],
    slopes: Mapping[Regression, Array],
) -> dict[str, Any]:
    """Rough values of a family's parameters in some rows, less their trend."""
    columns, choices, chosen = _observed(spec, term, data, chosen)
    for regression, values in slopes.items():
        if values.any():
            columns[0] = columns[0] - np.asarray(data[f"X_{regression.name}"])[chosen] @ values
    return dict(term.declaration.started(*columns, **choices))


def _observed(
    spec: ModelSpec, term: Term, data: Mapping[str, Any], chosen: NDArray[np.bool_]
) -> tuple[list[NDArray[Any]], dict[str, int], NDArray[np.bool_]]:
    """The columns that a term observes in some rows, the number of choices by name, and the rows.

    Rows that lack any of its columns are left out.
    """
    main = spec.response(term.responses[0])
    if main.missing:
        seen = ~np.isnan(values_by_row(main, data))
        chosen = chosen & (seen.all(axis=0) if main.many else seen)
    columns = [np.asarray(data[name])[..., chosen] for name in term.responses]
    counted: dict[str, int] = {}
    if any(spec.response(name).kind == "choice" for name in term.responses):
        counted["A"] = int(data["A"])
    if main.kind == "category":
        counted["C"] = len(main.labels)
    return columns, counted, chosen


def _component_order(
    spec: ModelSpec,
    data: Mapping[str, Any],
    group: Integers,
    estimates: Estimates,
    rng: np.random.Generator,
) -> Integers:
    """The group that each component takes: where its family fits, or as the order wants it.

    Families come first: a rough estimate of the parameter that orders them may well lie the wrong
    way round, and a chain that starts so may stay in that mode.
    """
    if spec.homogeneous:
        if not spec.ordered:
            return np.arange(spec.K)
        first = next(p for p in spec.parameters if p.name == spec.ordered[0])
        values = [_scalar(first, estimates[k][k][first.name]) for k in range(spec.K)]
        return np.argsort(values, kind="stable")
    if spec.emission_regressions and rng.random() < 0.5:
        # Rough estimates know no slopes but those of locations: which component has which group is
        # then better found by climbing from both.
        return rng.permutation(spec.K)
    fits = [
        [_log_density(spec, k, data, group == g, estimates[k][g]) for g in range(spec.K)]
        for k in range(spec.K)
    ]
    return np.asarray(linear_sum_assignment(fits, maximize=True)[1])


def _log_density(
    spec: ModelSpec,
    component: int,
    data: Mapping[str, Any],
    chosen: NDArray[np.bool_],
    estimates: Mapping[str, Any],
) -> float:
    """Log density of the rows of a group in a component, at its estimates from that group."""
    total = 0.0
    worst = -1e6 * np.count_nonzero(chosen)
    for term in spec.component(component):
        columns, choices, rows = _observed(spec, term, data, chosen)
        params = {
            param.name: _value(spec, a, estimates, data, rows)
            for param, a in zip(term.declaration.params, term.arguments, strict=True)
        }
        reference = term.declaration.reference(**params)
        density = getattr(reference, "logpdf", None) or reference.logpmf
        total += float(np.sum(np.maximum(density(*columns, **choices), -1e6)))
    return total if np.isfinite(total) else worst


def _value(
    spec: ModelSpec,
    argument: Fixed | Use,
    estimates: Mapping[str, Any],
    data: Mapping[str, Any],
    rows: NDArray[np.bool_],
) -> Any:
    """An argument of a family at rough estimates in some rows, with its slopes where it has any."""
    if isinstance(argument, Fixed):
        return argument.value
    if argument.regression:
        regression = spec.regression(argument.regression)
        slopes = estimates.get(regression.coefficients)
        if slopes is not None and np.any(slopes):
            moved = np.asarray(data[f"X_{regression.name}"])[rows] @ slopes
            return estimates[argument.parameter] + moved if argument.parameter else moved
    if argument.parameter:
        return estimates[argument.parameter]
    # Without an intercept, where the link is 0.
    lower, upper = regression.lower or 0.0, 1.0 if regression.upper is None else regression.upper
    middle = 0.5 * (lower + (upper if isinstance(upper, float) else 1.0))
    return {"identity": 0.0, "log": lower + 1.0, "logit": middle}[regression.link]


def _scalar(parameter: Parameter, value: Any) -> float:
    if is_placed(parameter):
        return float(np.asarray(value)[(parameter.place or 1) - 1])
    return float(np.asarray(value))


def _gather(spec: ModelSpec, parameter: Parameter, estimates: Estimates, order: Integers) -> Array:
    """A parameter's estimate: of each component, of its own component, or their mean."""
    values = [
        np.asarray(estimates[k][order[k]][parameter.name], dtype=np.float64)
        for k in range(spec.K)
        if parameter.name in estimates[k][order[k]]
    ]
    if parameter.axes[:1] == ("state",):
        return np.stack(values)
    return np.asarray(np.mean(values, axis=0))


def _jittered(
    spec: ModelSpec, parameter: Parameter, value: Array, rng: np.random.Generator
) -> Array:
    if parameter.constraint == "correlation":
        # Half way to independence: safely positive definite, whatever the rows were.
        return 0.5 * value + 0.5 * np.eye(value.shape[-1])
    noise = rng.normal(0.0, JITTER, value.shape)
    if parameter.constraint == "simplex":
        return np.asarray(value * np.exp(noise))
    if parameter.is_slope:
        sizes = np.array(spec.regression_of(parameter).spread)
        return np.asarray(np.where(value == 0, noise / sizes, value * (1 + noise)))
    # A bound of the family's own gives a size; one that comes from a prior may be far off.
    declared = spec.declared(parameter)
    if declared is not None and (lower := declared.lower) is not None:
        return np.asarray(lower + (value - lower) * np.exp(noise))
    spread = value.std(axis=0) if value.ndim and len(value) > 1 else np.abs(value)
    return np.asarray(value + noise * np.where(spread > 0, spread, 1.0))


def between(
    spec: ModelSpec, here: Mapping[str, Any], there: Mapping[str, Any], part: float
) -> dict[str, Array]:
    """The point that lies a `part` of the way from `here` to `there`, within all constraints.

    All but Cholesky factors of correlations are convex: those get rows of length 1 again. Engines
    leave out variables that have no elements.
    """
    point = {
        name: (1 - part) * np.asarray(here.get(name, value)) + part * np.asarray(value)
        for name, value in there.items()
    }
    for parameter in spec.parameters:
        if parameter.constraint == "correlation":
            factor = point[sampled_name(parameter)]
            factor /= np.linalg.norm(factor, axis=-1, keepdims=True)
    return point


def _latent_values(
    spec: ModelSpec, labels: Integers, rows: Rows, rng: np.random.Generator
) -> dict[str, Array]:
    """Proportions, or transitions, as the split has them, with a pseudo-count for each."""
    K = spec.K
    if spec.kind == "mix":
        return {"weights": rng.dirichlet(2.0 + np.bincount(labels, minlength=K))}
    counts = 1.0 + 2.0 * np.eye(K)
    allowed = np.array(spec.moves, dtype=bool)
    moves = np.ones(len(labels), bool)
    moves[rows.starts] = False
    np.add.at(counts, (labels[:-1][moves[1:]], labels[1:][moves[1:]]), 1.0)
    values: dict[str, Array] = {}
    if spec.allowed is None:
        values["transition"] = np.stack([rng.dirichlet(1.0 + row) for row in counts])
    for k, row in enumerate(spec.allowed or (), 1):
        drawn = rng.dirichlet(1.0 + counts[k - 1, allowed[k - 1]])
        values[f"transition_from_{k}"] = drawn if sum(row) > 1 else np.ones(1)
    if spec.initial == "free":
        values["initial"] = rng.dirichlet(np.full(K, 5.0))
    return values
