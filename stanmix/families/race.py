"""Families of races: accumulators, one for each choice, of which the first to finish responds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from stanmix.families.choice import DRIFT, NDT, RT, THRESHOLD, Wald, start_wald
from stanmix.families.family import Column, Family, Param
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


def rdm(threshold: float, drift: Vector, ndt: float) -> Race:
    """Return a race of diffusions, one for each drift."""
    return Race([Wald(threshold, v, ndt) for v in np.asarray(drift)])


def lognormal_race(mu: Vector, sigma: float, ndt: float) -> Race:
    """Return a race of lognormal finishing times, one for each `mu`."""
    return Race([stats.lognorm(sigma, loc=ndt, scale=np.exp(m)) for m in np.asarray(mu)])


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
