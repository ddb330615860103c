"""Families of races: accumulators, one for each choice, of which the first to finish responds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from stanmix.families.choice import DRIFT, NDT, RT, THRESHOLD, Wald, start_wald
from stanmix.families.family import Collapse, Column, Family, Param
from stanmix.families.real import SIGMA, Vector, center, positive_scale

CHOICE = Column("choice", name="choice", addition="dec")


@dataclass(frozen=True)
class Race:
    """The winner of a race, and its response time.

    Parameters
    ----------
    accumulators
        The distribution of the response time of each, in the order of the choices.
    """

    accumulators: Sequence[Any]

    def logpdf(self, rt: ArrayLike, choice: ArrayLike, A: int | None = None) -> Vector:
        """Log density of each row; `A` is the number of accumulators, given or not."""
        won = np.asarray(choice)
        log_density = np.full(np.broadcast_shapes(np.shape(rt), won.shape), -np.inf)
        survival = [accumulator.logsf(rt) for accumulator in self.accumulators]
        for code, winner in enumerate(self.accumulators, start=1):
            survived = sum(survival[: code - 1] + survival[code:])
            log_density = np.where(won == code, winner.logpdf(rt) + survived, log_density)
        return log_density

    def rvs(self, size: int, random_state: np.random.Generator, A: int | None = None) -> Vector:
        """Draw rows of a response time and a choice."""
        drawn = [a.rvs(size, random_state=random_state) for a in self.accumulators]
        rt = np.column_stack(drawn)
        return np.column_stack([rt.min(axis=1), rt.argmin(axis=1) + 1])


@dataclass(frozen=True)
class Ballistic:
    """The response time of one linear ballistic accumulator.

    Its rate is normal with mean `drift` and standard deviation 1, truncated to be positive; it
    starts at a place uniform between 0 and `start`, `threshold` or more from where it arrives.
    """

    threshold: float
    start: float
    drift: float
    ndt: float

    def decision(self, rt: ArrayLike) -> Vector:
        """How long after the non-decision time; 1 where not after it."""
        time = np.asarray(rt) - self.ndt
        return np.asarray(np.where(time > 0, time, 1.0))

    def logpdf(self, rt: ArrayLike) -> Vector:
        """Log density of the response time at each row."""
        time, start = self.decision(rt), np.asarray(self.start)
        low, high = self.threshold / time, (self.threshold + start) / time
        moment = log_normal_integral(low - self.drift, high - self.drift, low / start, high / start)
        log_density = moment - special.log_ndtr(self.drift)
        return np.where(np.asarray(rt) > self.ndt, log_density, -np.inf)

    def logsf(self, rt: ArrayLike) -> Vector:
        """Log probability of a longer response time at each row.

        Of a rate that is too low for any start, or of one that is too low for some.
        """
        time, one = self.decision(rt), np.ones(())
        low, high = self.threshold / time, (self.threshold + np.asarray(self.start)) / time
        for_all = log_normal_integral(-np.asarray(self.drift), low - self.drift, one, one)
        for_some = log_normal_integral(low - self.drift, high - self.drift, one, 0 * one)
        log_survival = np.logaddexp(for_all, for_some) - special.log_ndtr(self.drift)
        return np.where(np.asarray(rt) > self.ndt, log_survival, 0.0)

    def rvs(self, size: int, random_state: np.random.Generator) -> Vector:
        """Draw response times, with rates by the inverse of their distribution function."""
        log_u = np.log1p(-random_state.random(size))
        rate = self.drift - special.ndtri_exp(log_u + special.log_ndtr(self.drift))
        return np.asarray(
            self.ndt + (self.threshold + self.start * random_state.random(size)) / rate
        )


def log_normal_integral(
    low: ArrayLike, high: ArrayLike, at_low: ArrayLike, at_high: ArrayLike
) -> Vector:
    """Log of the integral of a weight times the standard normal density, by quadrature.

    Parameters
    ----------
    low, high
        Ends of the interval.
    at_low, at_high
        The weight there, linear between; it is not negative.
    """
    arrays = [np.asarray(x, dtype=np.float64) for x in (low, high, at_low, at_high)]
    low, high, at_low, at_high = (x[..., None] for x in np.broadcast_arrays(*arrays))
    # Where the density in the interval is more than exp(-40) of what it is at its highest.
    highest = np.clip(0, low, high)
    reach = np.sqrt(highest**2 + 80)
    first, last = np.clip([-reach, reach], low, high)
    nodes, weights = np.polynomial.legendre.leggauss(48)
    x = 0.5 * (first + last) + 0.5 * (last - first) * nodes
    weight = at_low + (at_high - at_low) * (x - low) / (high - low)
    total = np.sum(
        weights * weight * np.exp(0.5 * (highest - x) * (highest + x)), axis=-1, keepdims=True
    )
    log_total = np.log(0.5 * (last - first) * total) - 0.5 * np.log(2 * np.pi)
    return np.asarray((log_total - 0.5 * highest**2)[..., 0])


def rdm(threshold: float, drift: Vector, ndt: float) -> Race:
    """Return a race of diffusions, one for each drift."""
    return Race([Wald(threshold, v, ndt) for v in np.asarray(drift)])


def lognormal_race(mu: Vector, sigma: float, ndt: float) -> Race:
    """Return a race of lognormal finishing times, one for each `mu`."""
    return Race([stats.lognorm(sigma, loc=ndt, scale=np.exp(m)) for m in np.asarray(mu)])


def lba(threshold: float, start: float, drift: Vector, ndt: float) -> Race:
    """Return a race of linear ballistic accumulators, one for each drift."""
    return Race([Ballistic(threshold, start, v, ndt) for v in np.asarray(drift)])


def wins(choice: NDArray[np.int_], A: int | None) -> Vector:
    """Return how often each accumulator won, about 1 for all alike and 0 for none."""
    accumulators = int(choice.max(initial=2)) if A is None else A
    won = np.bincount(choice, minlength=accumulators + 1)[1:] + 0.5
    return np.asarray(won / won.mean())


def start_rdm(rt: Vector, choice: NDArray[np.int_], A: int | None = None) -> dict[str, Any]:
    """Start as a Wald distribution, with larger drifts for more frequent winners."""
    start: dict[str, Any] = dict(start_wald(rt))
    start["drift"] = start["drift"] * (0.5 + 0.5 * wins(choice, A))
    return start


def start_lognormal_race(
    rt: Vector, choice: NDArray[np.int_], A: int | None = None
) -> dict[str, Any]:
    """Start with the logarithms of decision times, later where an accumulator seldom wins."""
    ndt = start_wald(rt)["ndt"]
    log_time = np.log(rt[rt > ndt] - ndt)
    sigma = positive_scale(log_time)
    later = 1 - 0.5 * np.log(wins(choice, A))
    return {"mu": center(log_time) + sigma * later, "sigma": sigma, "ndt": ndt}


def start_lba(rt: Vector, choice: NDArray[np.int_], A: int | None = None) -> dict[str, Any]:
    """Start with drifts of 2, larger for more frequent winners, and a middle way of their mean."""
    ndt = start_wald(rt)["ndt"]
    decision = rt[rt > ndt] - ndt
    distance = 2 * float(decision.mean()) if decision.size else 1.0
    drift = 2 * (0.5 + 0.5 * wins(choice, A))
    return {"threshold": distance / 1.5, "start": distance / 1.5, "drift": drift, "ndt": ndt}


RDM = Family(
    name="rdm",
    response=(RT, CHOICE),
    params=(THRESHOLD, replace(DRIFT, axes=("accumulator",), by_row=True), NDT),
    reference=rdm,
    start=start_rdm,
)

LOGNORMAL_RACE = Family(
    name="lognormal_race",
    response=(RT, CHOICE),
    params=(
        Param("mu", prior="normal({log_center}, 1.5)", axes=("accumulator",), by_row=True),
        replace(SIGMA, prior="inv_gamma(3, 2 * {log_scale})"),
        NDT,
    ),
    reference=lognormal_race,
    start=start_lognormal_race,
)

LBA = Family(
    name="lba",
    response=(RT, CHOICE),
    # Only both distances together can shrink onto a row; their priors prevent it.
    params=(
        replace(THRESHOLD, prior="lognormal({log_center}, 0.75)", collapse=None),
        Param("start", link="log", lower=0, prior="lognormal({log_center}, 0.75)"),
        Param(
            "drift",
            prior="normal(2, 2)",
            axes=("accumulator",),
            by_row=True,
            collapse=Collapse("infinity", gain=1, location="ndt"),
        ),
        NDT,
    ),
    reference=lba,
    start=start_lba,
)
