"""Where each parameter of a model stands on the scale on which it is sampled."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stanmix.errors import DataError, listing
from stanmix.program.declare import is_between, is_placed, is_restricted, sampled_name
from stanmix.spec import Axis, ModelSpec, Parameter
from stanmix.transforms.bijections import Bijection, Bounded, Each, Matrix
from stanmix.transforms.correlations import Correlation
from stanmix.transforms.ordered import Ordered, OrderedBetween, Placed
from stanmix.transforms.simplexes import Moves, Simplex

if TYPE_CHECKING:
    from stanmix.model import Model

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """A variable, and what leads to it from its numbers without bounds.

    Parameters
    ----------
    name
        Its name: that of the posterior, or that of the program for what the posterior does not
        determine.
    labels
        Of each of its axes, the labels.
    bijection
        Between its part of a point and its values.
    """

    name: str
    labels: tuple[tuple[str, ...], ...]
    bijection: Bijection


@dataclass(frozen=True)
class Transforms:
    """Between the parameters of a model and points without bounds, as Stan samples them.

    A point is (.., size), with the parameters one after the other; a value is (.., *shape), over
    any leading axes. Parameters are those of the posterior, but for what these do not determine:
    slopes without the intercept (`slope_mu`), directions of angles, standardised effects of groups
    and the parts of a horseshoe have the names of the program.

    Parameters
    ----------
    parts
        The parameters, in their order.

    Examples
    --------
    >>> import numpy as np
    >>> import stanmix as sm
    >>> t = sm.model("y ~ mix(normal(sigma=1), K=2)", {"y": [0.1, 0.3, 4.0, 4.2]}).transforms()
    >>> t.size, t.names
    (3, ('mu', 'weights'))
    >>> values = {"mu": np.array([0.0, 4.0]), "weights": np.array([0.2, 0.8])}
    >>> t.unconstrain(values).round(3).tolist()
    [0.0, 1.386, -0.98]
    >>> float(t.log_jacobian(t.unconstrain(values)).round(3))
    -0.1
    """

    parts: tuple[Part, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, in their order."""
        return tuple(part.name for part in self.parts)

    @property
    def size(self) -> int:
        """How many numbers a point has."""
        return sum(part.bijection.size for part in self.parts)

    @cached_property
    def slices(self) -> dict[str, slice]:
        """The part of a point that each parameter has."""
        found, start = {}, 0
        for part in self.parts:
            found[part.name] = slice(start, start := start + part.bijection.size)
        return found

    def constrain(self, points: Array) -> dict[str, Array]:
        """The parameters at points (.., size): (.., *shape) each, by name.

        Raises
        ------
        DataError
            Points have another number of columns.
        """
        points = self._checked(points)
        return {
            part.name: part.bijection.constrain(points[..., self.slices[part.name]])
            for part in self.parts
        }

    def unconstrain(self, values: Mapping[str, Any]) -> Array:
        """Points (.., size), of the parameters (.., *shape) each.

        Not finite where values are at their bounds, or beyond.

        Parameters
        ----------
        values
            Every parameter by name, and perhaps more.

        Raises
        ------
        DataError
            A parameter is missing, has another shape, or is no numbers.
        """
        if not isinstance(values, Mapping):
            raise DataError(f"Values must be given by name, not as {type(values).__name__}.")
        missing = [name for name in self.names if name not in values]
        if missing:
            raise DataError(f"There are no values of {listing(missing)}.")
        found, lead = [], None
        for part in self.parts:
            own = _numbers(values[part.name], f"`{part.name}`")
            shape = part.bijection.shape
            first, last = own.shape[: own.ndim - len(shape)], own.shape[own.ndim - len(shape) :]
            lead = first if lead is None else lead
            if last != shape or first != lead:
                raise DataError(
                    f"`{part.name}` has the shape {own.shape}, and must have {(*lead, *shape)}."
                )
            found.append(part.bijection.unconstrain(own))
        return np.concatenate(found, axis=-1)

    def log_jacobian(self, points: Array) -> Array:
        """Log of the volume of the parameters by that of points (.., size): (..).

        The density of parameters, less what follows from the rest (the last weight, half of a
        correlation matrix), is that of points divided by it.

        Raises
        ------
        DataError
            Points have another number of columns.
        """
        points = self._checked(points)
        return np.asarray(
            sum(
                part.bijection.log_jacobian(points[..., self.slices[part.name]])
                for part in self.parts
            )
        )

    def to_json(self) -> str:
        """What one needs to write the same in another language.

        Returns
        -------
        str
            A list of the parameters in their order: `name`, `shape`, the `labels` of its axes,
            `size` (how many numbers it has in a point), `transform`, and what that needs: `lower`,
            `upper`, the `basis` of a simplex, which moves are `allowed`.
        """
        described = [
            {
                "name": part.name,
                "shape": list(part.bijection.shape),
                "labels": [list(axis) for axis in part.labels],
                "size": part.bijection.size,
                "transform": part.bijection.name,
                **part.bijection.describe(),
            }
            for part in self.parts
        ]
        return json.dumps(described, indent=1)

    def _checked(self, points: Array) -> Array:
        points = _numbers(points, "Points")
        if points.ndim == 0 or points.shape[-1] != self.size:
            raise DataError(
                f"A point has {self.size} numbers, and the last axis of {points.shape} another "
                "length."
            )
        return points


def _numbers(values: Any, what: str) -> Array:
    """Values as an array of numbers."""
    with suppress(TypeError, ValueError):
        return np.asarray(values, dtype=np.float64)
    raise DataError(f"{what} must be numbers in an array.")


def transforms(model: Model, *, bounded_by_data: bool = True) -> Transforms:
    """Between the parameters of a model and points without bounds, as Stan samples them.

    Parameters
    ----------
    model
        The model.
    bounded_by_data
        Whether parameters stay below what the data of the model say, as in its posterior; in its
        prior they do not.

    Returns
    -------
    Transforms
        `unconstrain`, `constrain` and `log_jacobian`, batched, with numpy alone; and `to_json`.

    Notes
    -----
    They are those of Stan from 2.37 on, which has simplexes by isometric log-ratios. An upper bound
    that is data, such as that of a non-decision time, is that of the data of the model.
    """
    return Transforms(tuple(_parts(model, bounded_by_data)))


def _parts(model: Model, bounded_by_data: bool) -> Iterator[Part]:
    spec = model.spec
    for parameter in spec.parameters:
        if not bounded_by_data:
            parameter = replace(parameter, below=None)
        if parameter.shrinking is not None:
            yield from _horseshoe(parameter, spec)
        else:
            yield _part(parameter, model)
    for regression in spec.regressions:
        for effect in regression.groups:
            lead = spec.axes_of(regression)
            axes = (*lead, f"effect_{effect.name}", f"group_{effect.group_name}")
            yield _plain(f"z_{effect.name}", axes, spec, matrix=True)


def _part(parameter: Parameter, model: Model) -> Part:
    spec = model.spec
    shape = tuple(spec.sizes[axis] for axis in parameter.axes)
    lower = -math.inf if parameter.lower is None else parameter.lower
    upper = _upper(parameter, model)
    name, axes = parameter.name, parameter.axes
    bijection: Bijection
    if is_restricted(parameter, spec):
        bijection = Moves(spec.allowed or ())
    elif is_placed(parameter):
        place = int(model.data[f"order_{axes[-1].removeprefix('slope_')}"]) - 1
        bijection = Placed(shape[0], shape[1], place, lower)
    elif parameter.constraint == "simplex":
        bijection = _each(shape[:-1], Simplex(shape[-1]))
    elif parameter.constraint == "correlation":
        bijection = _each(shape[:-2], Correlation(shape[-1]))
    elif parameter.constraint == "circular":
        name, axes = sampled_name(parameter), (*axes, "")
        bijection = Bounded((*shape, 2))
    elif parameter.order is not None:
        between = is_between(parameter)
        own = OrderedBetween(shape[-1], lower, upper) if between else Ordered(shape[-1], lower)
        bijection = _each(shape[:-1], own)
    else:
        bijection = Bounded(shape, lower, upper)
    if parameter.is_slope:
        name = sampled_name(parameter)
    return Part(name, _labels(axes, bijection.shape, spec), bijection)


def _horseshoe(parameter: Parameter, spec: ModelSpec) -> Iterator[Part]:
    """What a horseshoe is made of."""
    name, axes = sampled_name(parameter), parameter.axes
    yield _plain(f"{name}_z", axes, spec)
    yield _plain(f"{name}_local", axes, spec, lower=0.0)
    yield _plain(f"{name}_global", axes[:-1], spec, lower=0.0)
    yield _plain(f"{name}_slab", axes[:-1], spec, lower=0.0)


def _plain(
    name: str,
    axes: tuple[Axis, ...],
    spec: ModelSpec,
    *,
    lower: float = -math.inf,
    matrix: bool = False,
) -> Part:
    """Numbers over axes, each on its own."""
    shape = tuple(spec.sizes[axis] for axis in axes)
    bounded: Bijection = Bounded(shape, lower)
    if matrix:
        bounded = _each(shape[:-2], Matrix(shape[-2], shape[-1]))
    return Part(name, _labels(axes, shape, spec), bounded)


def _each(lead: tuple[int, ...], inner: Bijection) -> Bijection:
    return Each(lead, inner) if lead else inner


def _upper(parameter: Parameter, model: Model) -> float:
    """The upper bound: its own, or the constant of the data it stays below."""
    own = math.inf if parameter.upper is None else parameter.upper
    return own if parameter.below is None else min(own, float(model.data[parameter.below]))


def _labels(
    axes: tuple[Axis, ...], shape: tuple[int, ...], spec: ModelSpec
) -> tuple[tuple[str, ...], ...]:
    """The labels of axes; numbers from 1 where they have none."""
    known = spec.labels
    return tuple(
        tuple(map(str, known.get(axis, range(1, length + 1))))
        for axis, length in zip(axes, shape, strict=True)
    )
