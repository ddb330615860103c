"""What the components of one model have in common: columns, densities of a row, draws of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.distributions.component import Component
from stanmix.errors import SpecError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def require_alike(given: Any) -> tuple[Component, ...]:
    """The components, if there are any, of the same columns and of the same measure each.

    Raises
    ------
    SpecError
        They are none, differ in their columns, or one has a density where another has
        probabilities.
    """
    found = tuple(given) if isinstance(given, Iterable) else (given,)
    wrong = next((c for c in found if not isinstance(c, Component)), None)
    if wrong is not None or not found:
        what = "there are none" if not found else f"{wrong!r:.60} is none"
        raise SpecError(f"`components` holds what `component` makes; {what}.")
    first = found[0]
    for other in found[1:]:
        if other.event_shape != first.event_shape:
            raise SpecError(
                f"Components differ in their columns: `{first}` has shape {first.event_shape}, "
                f"and `{other}` {other.event_shape}."
            )
        for ours, theirs in zip(first.kinds, other.kinds, strict=True):
            one, two = MEASURES.get(ours, "a density"), MEASURES.get(theirs, "a density")
            if one != two:
                raise SpecError(
                    f"`{first}` has {one} and `{other}` {two}, which cannot be mixed for one "
                    "column."
                )
    return found


MEASURES = {
    "count": "probabilities of counts",
    "binary": "probabilities of counts",
    "category": "probabilities of categories",
    "choice": "probabilities of choices",
    "simplex": "a density of shares that sum to 1",
}
"""What a kind of column has; a density of numbers if nothing is said."""


def log_omega_of(components: Sequence[Component], rows: Array) -> Array:
    """Log density of each row (row, column) in each component: (row, K)."""
    return np.stack([one.log_density(rows) for one in components], axis=-1)


def draw_rows(
    components: Sequence[Component], states: Integers, rng: np.random.Generator
) -> NDArray[Any]:
    """A row for every state (...), from 0: (...) or (..., column), whole numbers as such."""
    flat = states.ravel()
    rows = np.empty((flat.size, len(components[0].kinds)))
    for k, one in enumerate(components):
        chosen = np.flatnonzero(flat == k)
        if chosen.size:
            rows[chosen] = one.draw(chosen.size, rng)
    rows = rows.reshape(*states.shape, *components[0].event_shape)
    return rows.astype(np.int64) if components[0].whole else rows
