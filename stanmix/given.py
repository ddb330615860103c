"""Values of parameters by their names, as what a program samples; and what constraints they break.

The posterior names what users know: coefficients, effects, correlations. A program samples slopes,
standard normal effects, Cholesky factors and the parts of a horseshoe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from stanmix.covariances import covariance_factor, is_correlation_matrix
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.prior_draws import sum_to_zero
from stanmix.priors import Prior
from stanmix.program.declare import (
    effect_axes,
    is_between,
    is_placed,
    is_restricted,
    is_shifted,
    sampled_name,
)
from stanmix.spec import GroupEffect, ModelSpec, Parameter, Regression, move_slopes, reported

Array = NDArray[np.float64]


def sampled(spec: ModelSpec, parameter: Parameter, value: Array) -> dict[str, Array]:
    """The sampled variables that give a parameter about this value, inside all its bounds.

    Parameters
    ----------
    spec, parameter
        The model, and one of its parameters.
    value
        Its value; of slopes, as they are sampled.
    """
    name = sampled_name(parameter)
    if parameter.constraint == "correlation":
        return {name: np.asarray(np.linalg.cholesky(value))}
    if parameter.constraint == "simplex":
        return {name: value / value.sum(axis=-1, keepdims=True)}
    if parameter.constraint == "circular":
        return {name: np.stack([np.cos(value), np.sin(value)], axis=-1)}
    if parameter.shrinking is not None:
        return _shrunk(parameter.shrinking, name, value)
    low, high = _bounds(spec, parameter)
    value = _inside(value, low, high)
    if is_placed(parameter):
        place = (parameter.place or 1) - 1
        rest = np.delete(value, place, axis=1)
        return {f"{name}_order": increasing(value[:, place]), f"{name}_rest": rest}
    if parameter.order is not None:
        value = np.apply_along_axis(increasing, -1, value)
        if is_between(parameter):
            return {name: increasing(logit((_inside(value, low, high) - low) / (high - low)))}
        if is_shifted(parameter):
            return {name: value - low}
    return {name: value}


def _shrunk(prior: Prior, name: str, value: Array) -> dict[str, Array]:
    """What gives slopes these values under a horseshoe: local scales of about their size."""
    spread, slab, _ = (float(np.asarray(a.value)) for a in prior.arguments[:3])
    sizes = value / np.asarray(prior.arguments[3].value)
    width = np.clip(np.abs(sizes), min(spread, 0.5 * slab), 0.5 * slab)
    first = value.shape[:-1]
    return {
        f"{name}_z": sizes / width,
        f"{name}_local": width / np.sqrt(1 - (width / slab) ** 2) / spread,
        f"{name}_global": np.full(first, spread),
        f"{name}_slab": np.full(first, slab**2),
    }


def _inside(value: Array, low: float, high: float) -> Array:
    """`value` drawn in to lie clearly between its bounds."""
    if np.isfinite(low) and np.isfinite(high):
        inside = (value - low > 1e-9 * (high - low)) & (high - value > 1e-9 * (high - low))
        margin = 0.02 * (high - low)
        return np.where(inside, value, np.clip(value, low + margin, high - margin))
    if np.isfinite(low):
        return np.maximum(value, low + 1e-6 * max(1.0, abs(low)))
    return value


def increasing(values: Array) -> Array:
    """`values` sorted, and pushed apart where they lie together.

    Examples
    --------
    >>> increasing(np.array([2.0, 1.0]))
    array([1., 2.])
    """
    ordered = np.sort(values)
    gap = 1e-3 * max(float(np.ptp(ordered)), 1e-3 * float(np.abs(ordered).max()), 1e-8)
    for i in range(1, len(ordered)):
        ordered[i] = max(ordered[i], ordered[i - 1] + gap)
    return ordered


def given_values(
    spec: ModelSpec, given: Mapping[str, Any], chain: int, tolerance: float = 1e-6
) -> dict[str, Array]:
    """The user's values of all parameters, as the variables of the parameters block.

    Parameters
    ----------
    spec
        The model.
    given
        Values by the names that the posterior has.
    chain
        The number of the chain, from 1, for messages.
    tolerance
        As in `broken_constraints`.

    Raises
    ------
    SpecError
        A name is unknown or missing, or a value has the wrong shape or breaks a constraint.
    """
    effects = {f"r_{e.name}": (r, e) for r in spec.regressions for e in r.groups}
    known = [*(p.name for p in spec.parameters), *effects]
    derived = ["initial"] if spec.initial == "stationary" else []
    derived += [r.coefficients for r in spec.regressions if r.is_offset_alone]
    for name in given:
        if name not in [*known, *derived]:
            message = f"`inits` name no parameter of the model: `{name}`; it has {listing(known)}."
            raise SpecError(Problem(message, hint=did_you_mean(str(name), known)))
    missing = [name for name in known if name not in given]
    if missing:
        raise SpecError(f"`inits` of chain {chain} have no value for {listing(missing)}.")
    checked: dict[str, Array] = {}
    for name in known:
        try:
            checked[name] = np.array(given[name], dtype=np.float64)
        except (TypeError, ValueError):
            raise SpecError(f"`{name}` in `inits` of chain {chain} must be numbers.") from None
    values: dict[str, Array] = {}
    for parameter in spec.parameters:
        value = checked[parameter.name]
        broken = broken_constraint(spec, parameter, value, tolerance)
        if broken:
            raise SpecError(f"`{parameter.name}` in `inits` of chain {chain} {broken}.")
        if is_restricted(parameter, spec):
            for k, row in enumerate(np.array(spec.moves, dtype=bool), 1):
                values[f"transition_from_{k}"] = value[k - 1, row] / value[k - 1, row].sum()
        elif parameter.constraint == "simplex":
            values[parameter.name] = value / value.sum(axis=-1, keepdims=True)
        elif parameter.is_slope:
            values |= sampled(spec, parameter, _given_slopes(spec, parameter, value))
        else:
            values |= sampled(spec, parameter, value)
    for name, (regression, effect) in effects.items():
        shape = tuple(spec.sizes[axis] for axis in effect_axes(spec, regression, effect))
        if checked[name].shape != shape:
            raise SpecError(f"`{name}` in `inits` of chain {chain} must have shape {shape}.")
        values[f"z_{effect.name}"] = _given_effects(spec, regression, effect, checked)
    return values


def _given_slopes(spec: ModelSpec, parameter: Parameter, value: Array) -> Array:
    """Slopes as they are sampled, from coefficients; intercepts follow from other parameters."""
    regression = spec.regression_of(parameter)
    slopes = value if regression.parameter is None else value[..., 1:]
    return _free(spec, regression, slopes, -2)


def _given_effects(
    spec: ModelSpec,
    regression: Regression,
    effect: GroupEffect,
    given: Mapping[str, Array],
) -> Array:
    """Standard normal effects of groups, as they are sampled, from those that they scale to."""
    scale = covariance_factor(given[f"sd_{effect.name}"], given.get(f"cor_{effect.name}"))
    if regression.link == "softmax":
        # Contrasts and moves have a common spread.
        scale = scale[..., None, :, :]
    r = np.swapaxes(_free(spec, regression, given[f"r_{effect.name}"], -3), -1, -2)
    whole = np.broadcast_to(scale, (*r.shape[:-2], *scale.shape[-2:]))
    return np.asarray(np.linalg.solve(whole, r), dtype=np.float64)


def _free(spec: ModelSpec, regression: Regression, values: Array, axis: int) -> Array:
    """Values as they are sampled: contrasts along an axis, moves in a list, others as they are."""
    if regression.link != "softmax":
        return values
    if regression.is_latent and regression.name == "transition":
        slopes = np.array(move_slopes(spec.moves))
        places = [np.argwhere(slopes == m + 1)[0] for m in range(spec.sizes["move"])]
        kept = [values[i, j] for i, j in places]
        return np.stack(kept) if kept else np.zeros((0, *values.shape[2:]))
    values = np.moveaxis(values, axis, 0)
    basis = sum_to_zero(np.eye(len(values) - 1), axis=0)
    return np.moveaxis(np.tensordot(basis.T, values, axes=1), 0, axis)


def broken_constraint(
    spec: ModelSpec, parameter: Parameter, value: Array, tolerance: float = 1e-6
) -> str | None:
    """What is wrong with a user's value of a parameter, if anything is."""
    shape = tuple(spec.sizes[axis] for axis in reported(parameter.axes))
    if value.shape != shape:
        return f"must have shape {shape}, not {value.shape}"
    broken = broken_constraints(spec, parameter, value[None], tolerance)
    return next((text for text, mask in broken if mask[0]), None)


def broken_constraints(
    spec: ModelSpec, parameter: Parameter, values: Array, tolerance: float = 1e-6
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """What may be wrong with values of a parameter (draw, *shape), and with which it is: (draw).

    Probabilities may sum to 1 but for a `tolerance`.
    """

    def any_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.asarray(mask.reshape(len(mask), -1).any(axis=1))

    finite = ~any_of(~np.isfinite(values))
    yield "must be finite", ~finite
    if parameter.constraint == "simplex":
        moves = np.array(spec.moves, dtype=bool)
        allowed = moves if parameter.name == "transition" else np.ones(1, dtype=bool)
        sums = np.isclose(values.sum(axis=-1), 1.0, rtol=0, atol=tolerance)
        wrong = any_of((values > 0) != allowed) | any_of(~sums)
        yield "must be positive and sum to 1", finite & wrong
        return
    if parameter.constraint == "correlation":
        wrong = np.array([not is_correlation_matrix(value) for value in values], dtype=bool)
        yield "must be a correlation matrix", finite & wrong
        return
    if parameter.is_slope and spec.regression_of(parameter).parameter:
        values = values[..., 1:]
    low, high = _bounds(spec, parameter)
    outside = finite & any_of(~((values > low) & (values < high)))
    yield f"must lie between {low:g} and {high:g}", outside
    if parameter.order is not None:
        ordered = values[..., parameter.place - 1] if parameter.place else values
        yield "must increase", finite & ~outside & any_of(~(np.diff(ordered, axis=-1) > 0))


def _bounds(spec: ModelSpec, parameter: Parameter) -> tuple[float, float]:
    """All bounds of a parameter, those by the data included."""
    low = -np.inf if parameter.lower is None else parameter.lower
    high = np.inf if parameter.upper is None else parameter.upper
    limits = [c.value for c in spec.constants if c.name == parameter.below]
    return low, min([high, *(float(np.asarray(limit)) for limit in limits)])
