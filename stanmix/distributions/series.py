"""Series drawn from a hidden Markov model; data sets that are always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stanmix.distributions.emission import draw_rows
from stanmix.distributions.seeds import Sample, fresh, generator
from stanmix.errors import require_count
from stanmix.latent.random import chosen

if TYPE_CHECKING:
    from stanmix.distributions.markov import HiddenMarkov

Integers = NDArray[np.int64]

SERIES, STEPS = 128, 64
"""Series, and steps of each, that are drawn together."""


def sample(markov: HiddenMarkov, n: int, steps: int, *, seed: int | None = None) -> Sample:
    """Draw series.

    Parameters
    ----------
    n, steps
        How many, and how long.
    seed
        Seed of everything random; another one at every call if not given.

    Returns
    -------
    Sample
        `values`, of shape (n, steps) or (n, steps, column), whole numbers as such; and
        `states`, from 1, of shape (n, steps).

    Raises
    ------
    SpecError
        `n` or `steps` is no whole number from 1 on, or `seed` none from 0 on.
    """
    require_count("n", n, 1)
    require_count("steps", steps, 1)
    return _drawn(markov, int(n), int(steps), None, fresh(seed))


def dataset(
    markov: HiddenMarkov, n: int, steps: int, *, split: str = "train", seed: int = 0
) -> Sample:
    """Draw series that are always the same, of which the first do not depend on how many.

    Parameters
    ----------
    n, steps
        How many, and how long. More series start with fewer, and longer ones with shorter.
    split
        `train`, `validation` or `test`, which are independent of each other.
    seed
        Data sets of different seeds are independent, too.

    Returns
    -------
    Sample
        As `sample`.

    Raises
    ------
    SpecError
        As `sample`; or there is no such split.

    Examples
    --------
    >>> from stanmix.distributions import HiddenMarkov, components
    >>> moves = [[0.9, 0.1], [0.2, 0.8]]
    >>> target = HiddenMarkov("uniform", moves, components("normal", mu=[0, 9], sigma=1))
    >>> few, many = target.dataset(2, 5), target.dataset(300, 100)
    >>> bool((many.values[:2, :5] == few.values).all())
    True
    """
    require_count("n", n, 1)
    require_count("steps", steps, 1)
    drawn = [_blocks(markov, block, steps, split, seed) for block in range(-(-n // SERIES))]
    values, states = zip(*drawn, strict=True)
    return Sample(np.concatenate(values)[:n], np.concatenate(states)[:n])


def _blocks(markov: HiddenMarkov, block: int, steps: int, split: str, seed: int) -> Sample:
    """A block of series, drawn a block of steps after the other."""
    before, drawn = None, []
    for later in range(-(-steps // STEPS)):
        drawn.append(_drawn(markov, SERIES, STEPS, before, generator(seed, split, block, later)))
        before = drawn[-1].states[:, -1] - 1
    values, states = zip(*drawn, strict=True)
    return Sample(
        np.concatenate(values, axis=1)[:, :steps], np.concatenate(states, axis=1)[:, :steps]
    )


def _drawn(
    markov: HiddenMarkov, n: int, steps: int, before: Integers | None, rng: np.random.Generator
) -> Sample:
    """Series that start, or go on where the states were `before`."""
    u = rng.random((n, steps))
    states = np.empty((n, steps), dtype=np.int64)
    for t in range(steps):
        last = before if t == 0 else states[:, t - 1]
        chances = markov.initial if last is None else markov.transition[last]
        states[:, t] = chosen(chances, u[:, t])
    return Sample(draw_rows(markov.components, states, rng), states + 1)
