"""Stan's flat columns (`mu[1,2]`, or `mu.1.2` in a CSV) as named arrays, and back.

Stan writes every variable as neighbouring columns, its first index fastest whatever the type is:
`array[2] vector[3] x` gives `x[1,1]`, `x[2,1]`, `x[1,2]`, ... A variable of size zero has no
column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.errors import EngineError

Shape = tuple[int, ...]

_STATS: Mapping[str, tuple[str, type]] = {
    "lp__": ("lp", float),
    "accept_stat__": ("acceptance_rate", float),
    "stepsize__": ("step_size", float),
    "treedepth__": ("tree_depth", int),
    "n_leapfrog__": ("n_steps", int),
    "divergent__": ("diverging", bool),
    "energy__": ("energy", float),
}
"""Stan's sampler columns: ArviZ's name, and what it holds."""


def layout(names: Sequence[str]) -> dict[str, tuple[slice, Shape]]:
    """Where each variable stands among flat columns, and its shape.

    Columns of the sampler itself, whose names end in two underscores, are left out.

    Examples
    --------
    >>> layout(["lp__", "a", "mu.1", "mu.2"])
    {'a': (slice(1, 2, None), ()), 'mu': (slice(2, 4, None), (2,))}
    """
    found = {}
    for name, columns in groupby(range(len(names)), lambda i: _variable(names[i])):
        if not name.endswith("__"):
            first, *rest = columns
            last = rest[-1] if rest else first
            # The last column of a variable holds the largest value of every index.
            shape = tuple(map(int, re.findall(r"\d+", names[last][len(name) :])))
            found[name] = slice(first, last + 1), shape
    return found


def unflatten(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Flat columns as named arrays.

    Parameters
    ----------
    names
        Flat names, one for each entry of the last axis of `values`.
    values
        Any number of leading axes (chain, draw), then the columns.

    Returns
    -------
    dict
        One array (leading axes, *shape) per variable: views of `values` where numpy can.
    """
    return {
        name: in_shape(values[..., columns], shape)
        for name, (columns, shape) in layout(names).items()
    }


def in_shape(block: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    """The columns of one variable, (leading axes, size), as (leading axes, *shape)."""
    reversed_axes = block.reshape((*block.shape[:-1], *shape[::-1]))
    return _reverse_last(reversed_axes, len(shape))


def flatten(names: Sequence[str], variables: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Named arrays (leading axes, *shape) as flat columns in the order of `names`.

    Variables that are not among `names` are left out.

    Raises
    ------
    EngineError
        A variable is missing, or has another shape than `names` say.
    """
    blocks = []
    for name, (_, shape) in layout(names).items():
        if name not in variables:
            raise EngineError(f"No values of `{name}` are given.")
        value = np.asarray(variables[name], dtype=np.float64)
        leading = value.ndim - len(shape)
        if leading < 0 or value.shape[leading:] != shape:
            raise EngineError(
                f"Values of `{name}` have shape {value.shape}; the program declares {shape}."
            )
        columns = _reverse_last(value, len(shape))
        blocks.append(columns.reshape(*value.shape[:leading], int(np.prod(shape))))
    # Stan reads rows from memory, whereas blocks that are views may be laid out otherwise.
    return np.ascontiguousarray(np.concatenate(blocks, axis=-1)) if blocks else np.empty(0)


def flat_names(shapes: Mapping[str, Shape]) -> list[str]:
    """The names that a CSV gives to the columns of variables.

    Examples
    --------
    >>> flat_names({"mu": (2, 2), "a": ()})
    ['mu.1.1', 'mu.2.1', 'mu.1.2', 'mu.2.2', 'a']
    """
    return [
        ".".join([name, *map(str, indices[::-1])])
        for name, shape in shapes.items()
        for indices in product(*(range(1, size + 1) for size in shape[::-1]))
    ]


def stats(names: Sequence[str], values: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """The sampler's columns among flat ones, under ArviZ's names."""
    return {
        _STATS[name][0]: values[..., i].astype(_STATS[name][1])
        for i, name in enumerate(names)
        if name in _STATS
    }


def _variable(column: str) -> str:
    """`mu`, of `mu[1,2]` or `mu.1.2`."""
    return column.replace("[", ".").partition(".")[0]


def _reverse_last(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """`values` with the order of its last `count` axes reversed."""
    kept = values.ndim - count
    return values.transpose(*range(kept), *range(values.ndim - 1, kept - 1, -1))
