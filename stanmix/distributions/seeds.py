"""Data that are the same wherever they are drawn, and start the same however many there are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stanmix.errors import require_count, require_one_of

SPLITS = ("train", "validation", "test")
"""Parts of a data set, drawn independently of each other."""


class Sample(NamedTuple):
    """What was drawn, with the truth that is hidden in data.

    Parameters
    ----------
    values
        What was drawn.
    states
        The component or state, from 1, that each was drawn from.
    """

    values: NDArray[Any]
    states: NDArray[np.int64]


def generator(seed: int, split: str, *block: int) -> np.random.Generator:
    """Random numbers for one block of one split, independent of those of all others.

    Raises
    ------
    SpecError
        There is no such split, or the seed is no whole number from 0 on.
    """
    require_one_of("split", split, SPLITS)
    require_count("seed", seed, 0)
    key = (SPLITS.index(split), *block)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def fresh(seed: int | None) -> np.random.Generator:
    """Random numbers by a seed, or other ones at every call.

    Raises
    ------
    SpecError
        The seed is no whole number from 0 on.
    """
    if seed is not None:
        require_count("seed", seed, 0, what=", or None")
    return np.random.default_rng(seed)
