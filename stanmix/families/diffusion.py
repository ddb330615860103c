"""The diffusion model of two choices.

References
----------
Grasman, R. P. P. P., Wagenmakers, E.-J., & van der Maas, H. L. J. (2009). On the mean and variance
of response times under the diffusion model with an application to parameter estimation. *Journal of
Mathematical Psychology*, 53, 55-68.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix.families.choice import DRIFT, NDT, RT, THRESHOLD, start_wald
from stanmix.families.family import Column, Family, Param
from stanmix.families.real import Vector


@dataclass(frozen=True)
class Wiener:
    """The boundary that a diffusion reaches first, and the response time."""

    threshold: float
    drift: float
    bias: float
    ndt: float

    def logpdf(self, rt: ArrayLike, choice: ArrayLike, A: int | None = None) -> Vector:
        """Log density of each row; choice 1 is the lower boundary and 2 the upper one."""
        time, chosen = np.asarray(rt) - self.ndt, np.asarray(choice)
        bias, drift = np.asarray(self.bias), np.asarray(self.drift)
        near, towards = np.where(chosen == 2, 1 - bias, bias), np.where(chosen == 2, drift, -drift)
        possible = (time > 0) & (chosen >= 1) & (chosen <= 2)
        time = np.where(possible, time, 1.0)
        return np.where(
            possible, boundary_log_density(time, self.threshold, towards, near), -np.inf
        )

    def mean(self, A: int | None = None) -> Vector:
        """Mean of the response time, at either boundary (Grasman et al. 2009)."""
        drift, threshold = np.asarray(self.drift, dtype=np.float64), np.asarray(self.threshold)
        # Either boundary may be the one that the drift leads to.
        ahead = threshold * np.where(drift < 0, self.bias, 1 - np.asarray(self.bias))
        behind = threshold - ahead
        # Without a drift the ratio below is 0 / 0.
        still = np.abs(drift) * threshold < 1e-6
        v = np.where(still, 1.0, np.abs(drift))
        reached = np.expm1(-2 * v * behind) / np.expm1(-2 * v * threshold)
        moving = (threshold * reached - behind) / v
        return np.asarray(self.ndt + np.where(still, ahead * behind, moving))

    def rvs(self, size: int, random_state: np.random.Generator, A: int | None = None) -> Vector:
        """Draw rows of a response time and a choice.

        A diffusion leaves the largest interval about its place until it leaves it at a boundary.
        """
        threshold, drift, bias = np.broadcast_arrays(
            self.threshold, self.drift, self.bias, np.empty(size)
        )[:3]
        place, time, choice = threshold * bias, np.zeros(size), np.zeros(size, np.int64)
        going = np.arange(size)
        while going.size:
            a, v, x = threshold[going], drift[going], place[going]
            distance = np.minimum(x, a - x)
            up = random_state.random(going.size) < 1 / (1 + np.exp(-2 * v * distance))
            time[going] += exit_times(distance, np.abs(v), random_state)
            choice[going] = 1 + up
            place[going] = np.where(up, x + distance, x - distance)
            going = going[np.where(up, a - x, x) > distance]
        return np.column_stack([self.ndt + time, choice])


def boundary_log_density(
    time: ArrayLike, threshold: ArrayLike, towards: ArrayLike, near: ArrayLike
) -> Vector:
    """Log density of reaching a boundary at some times, before another one.

    Parameters
    ----------
    time, threshold
        The times, all positive, and the distance between the boundaries.
    towards
        The drift towards the boundary that is reached.
    near
        How far from it the start is, as a share of the threshold.
    """
    time, threshold, towards, near = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64)[..., None] for x in (time, threshold, towards, near))
    )
    s = time / threshold**2
    early = s < 0.5
    k = np.arange(-7, 8)
    image = near + 2 * k
    soon = np.where(early, s, 0.5)
    images = np.sum(image * np.exp(-2 * k * (near + k) / soon), axis=-1, keepdims=True)
    k = np.arange(1, 13)
    later = np.where(early, 0.5, s)
    decay = np.exp(-(k**2 - 1) * np.pi**2 * later / 2)
    modes = np.sum(k * np.sin(k * np.pi * near) * decay, axis=-1, keepdims=True)
    passed = threshold * near - towards * time
    by_images = np.log(threshold * images) - 0.5 * np.log(2 * np.pi) - 1.5 * np.log(time)
    by_images -= passed**2 / (2 * time)
    by_modes = np.log(np.pi * modes / threshold**2) - np.pi**2 * s / 2
    by_modes += towards * (threshold * near - towards * time / 2)
    return np.asarray(np.where(early, by_images, by_modes)[..., 0])


def passage_times(distance: Vector, drift: Vector, random_state: np.random.Generator) -> Vector:
    """Draw times at which diffusions first pass a distance, as Michael, Schucany and Haas do."""
    r = random_state.normal(size=distance.size) ** 2 / (2 * distance)
    smaller = distance / (drift + r + np.sqrt(r * (2 * drift + r)))
    ratio = drift * smaller / distance
    is_larger = random_state.random(distance.size) * (1 + ratio) > 1
    return np.asarray(smaller / np.where(is_larger, ratio**2, 1.0))


def exit_times(distance: Vector, drift: Vector, random_state: np.random.Generator) -> Vector:
    """Draw times at which diffusions leave an interval about their start.

    Its ends are `distance` away. A passage of one end, were there no other, is accepted with the
    ratio of the densities, which is half of the time or more often.
    """
    time = np.zeros(distance.size)
    going = np.arange(distance.size)
    while going.size:
        d, v = distance[going], drift[going]
        time[going] = t = passage_times(d, v, random_state)
        wald = np.log(d) - 0.5 * np.log(2 * np.pi) - 1.5 * np.log(t) - (d - v * t) ** 2 / (2 * t)
        ratio = np.exp(boundary_log_density(t, 2 * d, v, 0.5) - wald)
        going = going[random_state.random(going.size) >= ratio]
    return time


def start_wiener(rt: Vector, choice: NDArray[np.int_], A: int | None = None) -> dict[str, float]:
    """Start halfway between boundaries, with a drift that gives the share of choices."""
    start = start_wald(rt)
    decision = rt[rt > start["ndt"]] - start["ndt"]
    threshold = 2 * float(np.sqrt(decision.mean())) if decision.size else 1.0
    upper = (np.sum(choice == 2) + 0.5) / (choice.size + 1)
    drift = float(np.log(upper / (1 - upper))) / threshold
    return {"threshold": threshold, "drift": drift, "bias": 0.5, "ndt": start["ndt"]}


WIENER = Family(
    name="wiener",
    response=(RT, Column("choice", name="choice", addition="dec", choices=2)),
    params=(
        THRESHOLD,
        replace(DRIFT, link="identity", lower=None, closed=False),
        Param("bias", link="logit", lower=0, upper=1, prior="beta(2, 2)"),
        NDT,
    ),
    reference=Wiener,
    start=start_wiener,
)
