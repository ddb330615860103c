"""Rows drawn from a mixture; data sets that are always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stanmix.distributions.emission import draw_rows
from stanmix.distributions.seeds import Sample, fresh, generator
from stanmix.errors import require_count
from stanmix.latent import sample_components

if TYPE_CHECKING:
    from stanmix.distributions.mixture import Mixture

BLOCK = 1024
"""Rows of a data set that are drawn together."""


def sample(mixture: Mixture, n: int, *, seed: int | None = None) -> Sample:
    """Draw rows.

    Parameters
    ----------
    n
        How many.
    seed
        Seed of everything random; another one at every call if not given.

    Returns
    -------
    Sample
        `values`, of shape (n,) or (n, column), whole numbers as such; and `states`, the
        component from 1 that each was drawn from.

    Raises
    ------
    SpecError
        `n` is no whole number from 1 on, or `seed` none from 0 on.

    Examples
    --------
    >>> from stanmix.distributions import Mixture, components
    >>> target = Mixture([0.5, 0.5], components("poisson", rate=[1, 50]))
    >>> values, states = target.sample(5, seed=1)
    >>> values.tolist(), states.tolist()
    ([51, 56, 1, 49, 1], [2, 2, 1, 2, 1])
    """
    require_count("n", n, 1)
    return _drawn(mixture, int(n), fresh(seed))


def dataset(mixture: Mixture, n: int, *, split: str = "train", seed: int = 0) -> Sample:
    """Draw rows that are always the same, of which the first do not depend on `n`.

    Parameters
    ----------
    n
        How many; a longer data set starts with a shorter one.
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
    >>> from stanmix.distributions import gmm40
    >>> short, long = gmm40().dataset(10), gmm40().dataset(5000)
    >>> bool((long.values[:10] == short.values).all())
    True
    """
    require_count("n", n, 1)
    blocks = [
        _drawn(mixture, BLOCK, generator(seed, split, block)) for block in range(-(-n // BLOCK))
    ]
    values, states = zip(*blocks, strict=True)
    return Sample(np.concatenate(values)[:n], np.concatenate(states)[:n])


def _drawn(mixture: Mixture, n: int, rng: np.random.Generator) -> Sample:
    states = sample_components(rng, np.zeros((n, mixture.K)), mixture.weights)
    return Sample(draw_rows(mixture.components, states, rng), states + 1)
