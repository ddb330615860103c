"""A rough split of the rows into K groups, from which chains start.

It needs to be reasonable and quick, not right: the posterior is found by sampling.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

Array = NDArray[np.float64]

PLANES = 20
"""Most rounds of fitting planes to groups."""

SPLITS = 10
"""Rough splits that are looked at for what separates groups; a single one may be a poor one."""


def standardise(columns: Array) -> Array:
    """Columns (row, column) with median 0 and unit spread, outliers drawn in to 4 spreads."""
    spread = columns.std(axis=0)
    spread[spread == 0] = 1.0
    return np.asarray(np.clip((columns - np.median(columns, axis=0)) / spread, -4.0, 4.0))


def cluster(columns: Array, K: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A group 0..K-1 for every row, by K-means from centres drawn with `rng`; none is empty.

    Parameters
    ----------
    columns
        Standardised columns, (row, column).
    K
        Number of groups, at most the number of rows.
    rng
        What draws the centres.

    Returns
    -------
    array
        (row).
    """
    with warnings.catch_warnings():
        # Where rows are tied, groups may be empty and distances 0; that is mended below.
        warnings.simplefilter("ignore")
        _, groups = kmeans2(columns, K, minit="++", rng=rng)
    for k in range(K):
        if not (groups == k).any():
            # Ties can leave a group empty; it takes a row from the largest.
            largest = np.bincount(groups, minlength=K).argmax()
            groups[rng.choice(np.flatnonzero(groups == largest))] = k
    return np.asarray(groups, dtype=np.int64)


def cluster_pieces(columns: Array, K: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A group 0..K-1 for every row, by `cluster` into twice as many, put together at random.

    Parameters
    ----------
    columns, K, rng
        As in `cluster`.

    Returns
    -------
    array
        (row).
    """
    pieces = cluster(columns, min(2 * K, len(columns)), rng)
    count = int(pieces.max()) + 1
    # Every group has a piece.
    group = rng.permutation(np.append(np.arange(K), rng.integers(K, size=count - K)))
    return np.asarray(group[pieces], dtype=np.int64)


def cluster_lines(
    columns: Array, covariates: Array, starts: NDArray[np.int64], K: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A group 0..K-1 for every unit, such that the rows of each lie near one plane.

    From a random split, each group's plane is fitted by least squares and each unit goes to the
    plane nearest to it, some times over (Spaeth 1979).

    Parameters
    ----------
    columns
        (row, column).
    covariates
        (row, covariate).
    starts
        The first row of each unit.
    K
        Number of groups.
    rng
        What draws the split.

    Returns
    -------
    array
        (unit).
    """
    X = np.column_stack([np.ones(len(columns)), standardise(covariates)])
    sizes = np.diff(np.append(starts, len(columns)))
    groups = rng.permutation(np.arange(len(starts)) % K)
    for _ in range(PLANES):
        distance = np.empty((len(starts), K))
        for k in range(K):
            chosen = np.repeat(groups == k, sizes)
            plane = np.linalg.lstsq(X[chosen], columns[chosen])[0]
            squares = np.square(columns - X @ plane).sum(axis=1)
            distance[:, k] = np.add.reduceat(squares, starts)
        nearest = distance.argmin(axis=1)
        if len(np.unique(nearest)) < K or (nearest == groups).all():
            break
        groups = nearest
    return np.asarray(groups, dtype=np.int64)


def best_separated(columns: Array, K: int) -> int:
    """The column whose group means lie furthest apart, relative to the spread within groups.

    A column counts by its smallest gap between neighbouring means: that is where an order by this
    column could fail.

    Parameters
    ----------
    columns
        (row, column), in any units.
    K
        Number of groups.

    Returns
    -------
    int
        From 0; 0 where there is nothing to choose.
    """
    if K == 1 or columns.shape[1] == 1:
        return 0
    rng, scaled = np.random.default_rng(1), standardise(columns)
    splits = [cluster(scaled, K, rng) for _ in range(SPLITS)]
    return int(np.argmax(np.max([_separation(columns, split) for split in splits], axis=0)))


def _separation(columns: Array, groups: NDArray[np.int64]) -> Array:
    """The smallest gap of neighbouring group means, in units of the spread within: (column)."""
    means = np.stack([columns[groups == k].mean(axis=0) for k in range(groups.max() + 1)])
    within = np.sqrt(((columns - means[groups]) ** 2).mean(axis=0))
    gaps = np.diff(np.sort(means, axis=0), axis=0).min(axis=0)
    return np.asarray(gaps / np.where(within > 0, within, 1.0))
