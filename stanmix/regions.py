"""The regions of a posterior about its modes: where they are, and how much mass each has.

Two ends of climbs are one mode if the density does not fall on the straight way from one to the
other. About each mode is a Student distribution, adapted to the posterior by importance sampling;
a point is in the region of that which is densest there, and so are its draws, and its mass. Where
nothing orders components, all numberings of a point are looked at: it is in the region in which any
of them is, and a mode in which components are the same counts no more than it should.

References
----------
Cappe, O., Douc, R., Guillin, A., Marin, J.-M., & Robert, C. P. (2008). Adaptive importance sampling
in general mixture classes. *Statistics and Computing*, 18, 447-459.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

from stanmix.engines.base import Target
from stanmix.importance import good_k, smoothed
from stanmix.numberings import Numberings

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

BETWEEN = np.linspace(0, 1, 11)[1:-1]
"""Where, on the way from one mode to another, the density is looked at."""

FALL = 0.1
"""By how much the log density may fall on the way within a mode."""

POLISHING = 20
"""Most Newton steps from where a climb ends to the mode."""

PROPOSALS = 2000
"""Points drawn about each mode."""

ADAPTATIONS = 4
"""How often the distributions about modes are adapted."""

NU = 7.0
"""Degrees of freedom of the distributions about modes."""


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a posterior about its modes, by decreasing mass.

    Parameters
    ----------
    lp
        The log density at the tops of modes: (mode).
    masses
        The mass of each region, as a share of all: (mode).
    pareto_k
        How well masses are known: they are rough where this is above `good_k`.
    good_k
        The largest Pareto k that can be trusted.
    of_end
        The mode of each end of a climb: (end).
    about
        The distributions about modes.
    numberings
        What gives all numberings of points.
    """

    lp: Array
    masses: Array
    pareto_k: float
    good_k: float
    of_end: Integers
    about: tuple[Any, ...]
    numberings: Numberings

    def shares(self, points: Array) -> Array:
        """The share of points, (..., point, number), that are in each region: (..., mode)."""
        flat = points.reshape(-1, points.shape[-1])
        where = _near(self.about, flat, self.numberings).mode.reshape(points.shape[:-1])
        return np.asarray((where[..., None] == np.arange(len(self.about))).mean(axis=-2))


def regions(
    target: Target, ends: Array, numberings: Numberings, rng: np.random.Generator
) -> Regions:
    """The regions about the modes in which climbs ended.

    Parameters
    ----------
    target
        The density.
    ends
        Where climbs ended: (end, number).
    numberings
        What gives all numberings of points, at which the density is the same.
    rng
        What is drawn from.
    """
    tops, of_end = _grouped(target, ends, numberings)
    masses, pareto_k, about = _masses(target, tops, numberings, rng)
    order = np.argsort(-masses, kind="stable")
    return Regions(
        lp=target.log_density(tops[order]),
        masses=masses[order],
        pareto_k=pareto_k,
        good_k=good_k(PROPOSALS * len(tops)),
        of_end=np.argsort(order)[of_end],
        about=tuple(about[m] for m in order),
        numberings=numberings,
    )


def _grouped(target: Target, ends: Array, numberings: Numberings) -> tuple[Array, Integers]:
    """The tops of modes (mode, number), and the mode of each end."""
    tops: list[Array] = []
    heights: list[float] = []
    mode = np.empty(len(ends), dtype=np.int64)
    for place in np.argsort(-target.log_density(ends)):
        top = _polished(target, ends[place])
        height = float(target.log_density(top[None])[0])
        for m, (other, its) in enumerate(zip(tops, heights, strict=True)):
            if _is_one(target, top, numberings(other[None])[:, 0], min(height, its) - FALL):
                mode[place] = m
                break
        else:
            mode[place] = len(tops)
            tops.append(top)
            heights.append(height)
    return np.array(tops), mode


def _is_one(target: Target, top: Array, others: Array, least: float) -> bool:
    """Whether a log density stays above the least on a straight way to any of the others."""
    ways = top + BETWEEN[:, None] * (others - top)[:, None]
    heights = target.log_density(ways.reshape(-1, len(top))).reshape(ways.shape[:2])
    return bool((heights.min(axis=1) > least).any())


def _polished(target: Target, end: Array) -> Array:
    """The mode near which a climb ended, by Newton steps while they lead uphill."""
    here, height = end, float(target.log_density(end[None])[0])
    for _ in range(POLISHING):
        there = here + _covariance(target, here) @ target.gradient(here[None])[0]
        reached = float(target.log_density(there[None])[0])
        if not reached > height + 1e-9:
            break
        here, height = there, reached
    return here


def _covariance(target: Target, top: Array) -> Array:
    """The inverse of the curvature of a log density at a mode; broad where it is flat."""
    step = 1e-4 * np.maximum(np.abs(top), 1.0)
    shifts = np.diag(step)
    rise = target.gradient(top + shifts) - target.gradient(top - shifts)
    curvature = -rise / (2 * step[:, None])
    curvature = np.nan_to_num((curvature + curvature.T) / 2)
    values, vectors = np.linalg.eigh(curvature)
    # Unconstrained scales of 100 and more are flat.
    return np.asarray(vectors / np.maximum(values, 1e-4) @ vectors.T)


@dataclass(frozen=True, eq=False)
class _Near:
    """Points, by the distributions about modes.

    Parameters
    ----------
    log_density
        The log density of all distributions together, over all numberings: (point).
    mode
        The mode in whose region each is: (point).
    points
        Each in the numbering in which it is nearest: (point, number).
    """

    log_density: Array
    mode: Integers
    points: Array


def _near(about: Sequence[Any], points: Array, numberings: Numberings) -> _Near:
    same = numberings(points)
    # Of one point alone, or of one number, an axis is dropped.
    each = np.stack([t.logpdf(same).reshape(same.shape[:2]) for t in about], axis=-1)
    by_numbering = each.max(axis=-1).argmax(axis=0)
    return _Near(
        log_density=logsumexp(each, axis=(0, 2)),
        mode=each.max(axis=0).argmax(axis=-1),
        points=same[by_numbering, np.arange(len(points))],
    )


def _masses(
    target: Target, tops: Array, numberings: Numberings, rng: np.random.Generator
) -> tuple[Array, float, list[Any]]:
    """The mass of each mode, the Pareto k of the weights, and the distributions about modes."""
    d, count = target.size, len(tops)
    centers = tops
    spreads = np.array([_covariance(target, top) for top in tops])
    for last in [False] * ADAPTATIONS + [True]:
        about = [
            stats.multivariate_t(c, s, NU, allow_singular=True)
            for c, s in zip(centers, spreads, strict=True)
        ]
        drawn = np.concatenate([t.rvs(PROPOSALS, random_state=rng).reshape(-1, d) for t in about])
        near = _near(about, drawn, numberings)
        log_ratios = target.log_density(drawn) - near.log_density
        log_weights, pareto_k = smoothed(np.maximum(log_ratios, log_ratios.max() - 700.0))
        weights = np.exp(log_weights)
        own = weights[:, None] * (near.mode[:, None] == np.arange(count))
        masses = own.sum(axis=0) / own.sum()
        if last:
            break
        for m in range(count):
            if not own[:, m].any():
                continue
            share = own[:, m] / own[:, m].sum()
            # Too few points tell nothing of a spread.
            if 1 / np.sum(share**2) > 10 * d:
                centers = centers.copy()
                centers[m] = share @ near.points
                off = near.points - centers[m]
                spreads[m] = (NU - 2) / NU * (off.T * share) @ off
    return masses, pareto_k, about
