"""Values of the parameters of a family, and probabilities, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.covariances import is_correlation_matrix
from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.families import FAMILIES, Family, Param

Array = NDArray[np.float64]

SUM_TOLERANCE = 1e-6
"""How far probabilities may be from a sum of 1, which they are then divided by."""

SINGULAR = 1e-9
"""The smallest eigenvalue that correlations may have, relative to the largest."""


def family_of(family: str | Family, parameters: Mapping[str, Any]) -> Family:
    """The declaration of a family, of several columns where its location is a vector.

    Raises
    ------
    SpecError
        There is none.
    """
    if isinstance(family, Family):
        return family
    names = list(dict.fromkeys(one.name for one in FAMILIES.values()))
    if not isinstance(family, str):
        raise SpecError(f"A family is a name or a `Family`, not {type(family).__name__}.")
    if f"{family}[full]" in FAMILIES and _is_list(parameters.get("mu")):
        of_columns = "diag" if _is_list(parameters.get("sigma")) else "spherical"
        return FAMILIES[f"{family}[{'full' if 'corr' in parameters else of_columns}]"]
    if family not in FAMILIES:
        message = f"There is no family {family!r}; there are {listing(names, most=len(names))}."
        raise SpecError(Problem(message, hint=did_you_mean(family, names)))
    return FAMILIES[family]


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) or np.ndim(value) > 0


def checked(family: Family, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a family as numbers and arrays, if they are all there and what they must be.

    Raises
    ------
    SpecError
        One is missing, unknown, of another shape, or outside its bounds.
    """
    known = {param.name: param for param in family.params}
    for name in given:
        if name not in known:
            message = f"`{family.name}` has no parameter `{name}`; it has {listing(known)}."
            raise SpecError(Problem(message, hint=did_you_mean(name, known)))
    defaults = {p.name: p.default for p in family.params if isinstance(p.default, int | float)}
    missing = [name for name in known if name not in given and name not in defaults]
    if missing:
        raise SpecError(f"`{family.name}` needs {listing(missing)} too.")
    values = {name: _value(family, p, given.get(name, p.default)) for name, p in known.items()}
    lengths: dict[str, tuple[str, int]] = {}
    for name, param in known.items():
        for axis, length in zip(param.axes, np.shape(values[name]), strict=True):
            first, other = lengths.setdefault(axis.removesuffix("_to"), (name, length))
            if other != length:
                raise SpecError(
                    f"`{first}` and `{name}` of `{family.name}` differ in length: "
                    f"{other} and {length}."
                )
        if param.above is not None and not values[name] > values[param.above]:
            raise SpecError(f"`{name}` of `{family.name}` must be above `{param.above}`.")
    return values


def _value(family: Family, param: Param, given: Any) -> Any:
    what = f"`{param.name}` of `{family.name}`"
    try:
        value = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(f"{what} must be numbers, not {given!r:.60}.") from None
    if value.ndim != len(param.axes) or 0 in value.shape:
        kind = {0: "a number", 1: "a list of numbers", 2: "a matrix"}[len(param.axes)]
        raise SpecError(f"{what} must be {kind}, and has shape {value.shape}.")
    if not np.isfinite(value).all():
        raise SpecError(f"{what} must be finite, not {given!r:.60}.")
    if param.correlation:
        proper = value.shape[0] == value.shape[1] and is_correlation_matrix(value)
        if not proper or np.linalg.cond(value) > 1 / SINGULAR:
            raise SpecError(f"{what} must be a correlation matrix, and not next to singular.")
    if param.simplex:
        return probabilities(what, value)
    if param.increasing and not (np.diff(value) > 0).all():
        raise SpecError(f"{what} must increase.")
    low = -np.inf if param.lower is None else param.lower
    high = np.inf if param.upper is None else param.upper
    inside = (value >= low) & (value <= high) if param.closed else (value > low) & (value < high)
    if not inside.all():
        allowed = f"from {low:g} to {high:g}" if param.closed else f"between {low:g} and {high:g}"
        if param.upper is None:
            allowed = f"{low:g} or more" if param.closed else f"above {low:g}"
        raise SpecError(f"{what} must be {allowed}, not {given!r:.60}.")
    return value if param.axes else float(value)


def probabilities(what: str, given: Any, shape: tuple[int, ...] | None = None) -> Array:
    """Probabilities, which sum to 1 over the last axis to the last digit.

    Raises
    ------
    SpecError
        They are no probabilities, or have another shape.
    """
    try:
        value = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(f"{what} must be numbers, not {given!r:.60}.") from None
    if value.shape != (value.shape if shape is None else shape) or not value.size:
        raise SpecError(f"{what} must have shape {shape}, not {value.shape}.")
    if not ((value >= 0) & (value <= 1 + SUM_TOLERANCE)).all():
        raise SpecError(f"{what} must be probabilities; some are negative, above 1 or NaN.")
    total = value.sum(axis=-1, keepdims=True)
    if (np.abs(total - 1) > SUM_TOLERANCE).any():
        off = total.ravel()[np.argmax(np.abs(total - 1))]
        raise SpecError(f"{what} must sum to 1, and sum to {off:.8g}.")
    value /= total
    value.setflags(write=False)
    return value
