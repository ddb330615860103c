"""All numberings of components that nothing orders, as points of the scale of a program.

The posterior is the same at all of them: a mode is there as often as components have numberings,
but for one in which some components are the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stanmix.permutations import can_be_renumbered, interchangeable, renumbered
from stanmix.storage import posterior_variables

if TYPE_CHECKING:
    from stanmix.model import Model

Array = NDArray[np.float64]

Numberings = Callable[[Array], Array]
"""From points (point, number) to all that are the same, (numbering, point, number)."""

MOST = 120
"""Most numberings that are all looked at: those of five components."""


def alone(points: Array) -> Array:
    """Points of components that are ordered, or differ: they have one numbering."""
    return points[None]


def numberings_of(model: Model) -> Numberings:
    """What gives points all numberings of the components.

    Points as they are, where there is one numbering; where there are too many; and where programs
    sample other numbers than the posterior names, which are not renumbered.

    Parameters
    ----------
    model
        The model.
    """
    spec, transforms = model.spec, model.transforms()
    named = {parameter.name for parameter in spec.parameters}
    if not can_be_renumbered(spec) or not set(transforms.names) <= named:
        return alone
    blocks = interchangeable(spec)
    sizes = np.unique_counts(blocks).counts
    if math.prod(math.factorial(int(size)) for size in sizes) > MOST:
        return alone
    orders = [
        np.array(order)
        for order in itertools.permutations(range(spec.K))
        if (blocks[list(order)] == blocks).all()
    ]

    def all_numberings(points: Array) -> Array:
        values = transforms.constrain(points)
        draws = posterior_variables(spec, {name: v[None] for name, v in values.items()})
        found = []
        for order in orders:
            same = renumbered(spec, draws, np.broadcast_to(order, (1, len(points), spec.K)))
            found.append(transforms.unconstrain({str(n): v.values[0] for n, v in same.items()}))
        return np.stack(found)

    return all_numberings
