"""Values as users give them, batched as they like, and as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.errors import DataError

Array = NDArray[np.float64]


def numbers(name: str, given: Any, *, infinite: bool = False) -> Array:
    """Values as an array.

    Raises
    ------
    DataError
        They are no numbers, or some are NaN, or infinite unless these are allowed.
    """
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"`{name}` must be an array of numbers.") from None
    bad = np.isnan(array) if infinite else ~np.isfinite(array)
    if bad.any():
        first = tuple(np.argwhere(bad)[0].tolist())
        where = f" in {int(bad.sum())} of {bad.size} entries (first: {first})" if first else ""
        raise DataError(f"`{name}` is {'NaN' if infinite else 'NaN or infinite'}{where}.")
    return array


def as_rows(name: str, given: Any, event_shape: tuple[int, ...]) -> tuple[Array, tuple[int, ...]]:
    """Values (..., column) as (row, column), and the shape of the axes before the columns.

    Raises
    ------
    DataError
        They are no finite numbers, or have other columns.
    """
    array = numbers(name, given)
    split = array.ndim - len(event_shape)
    if split < 0 or array.shape[split:] != event_shape:
        raise DataError(
            f"`{name}` must have {event_shape[0]} columns, shape (..., {event_shape[0]}), "
            f"not {array.shape}."
        )
    return array.reshape(-1, *(event_shape or (1,))), array.shape[:split]


def shaped(values: Array, shape: tuple[int, ...]) -> Array:
    """Values in another shape; a number as such, and not as an array without axes."""
    found: Array = values.reshape(shape)[()]
    return found
