"""Mistakes that explain a difference: labels that are swapped, and Jacobians.

Each is made in the other direction, or is put into the reference; where both then agree as well as
chance allows, it is named.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.errors import percent
from stanmix.fit import Fit
from stanmix.foreign import points_of, template
from stanmix.importance import smoothed
from stanmix.judging.closeness import Functions, by_chance, distance, functions, mean_gap, worth
from stanmix.judging.psis import Corrected, worth_of
from stanmix.judging.suspicions import Suspicion
from stanmix.model import Model

Array = NDArray[np.float64]

CHANCE = 1.25
"""What is no more than so many times the mean distance may be chance."""

CLEAR = 2.2
"""What is more than so many times the mean distance is not (p about .001)."""

CLOSER = 0.75
"""How much closer an explanation must bring both."""

MORE = 2.0
"""How many times more draws they must be worth with another density, for that to be theirs."""

LACKING = 0.01
"""The share of the reference's draws without a density from which a part is missing."""

ALL = "all parameters"
"""What the Jacobian of all is called."""

MOST_PERMUTED = 4
"""Most components whose numberings are all tried."""


def of_labels(fit: Fit, given: Fit) -> Iterator[Suspicion]:
    """Variables in which components of some draws, or of all, have other numbers.

    The share of these draws is that by which a mixture of the reference and of the reference
    renumbered is closest to them.
    """
    K = fit.model.spec.K
    if not 1 < K <= MOST_PERMUTED:
        return
    reference, draws = (f.draws["posterior"].to_dataset() for f in (fit, given))
    orders = list(itertools.permutations(range(K)))[1:]
    count = draws.sizes["chain"] * draws.sizes["draw"]
    for name, values in reference.items():
        along = [str(dim) for dim in values.dims if dim in ("state", "state_to")]
        ours, theirs = reference[[name]], draws[[name]]
        unmoved = functions(ours, theirs)
        if not along or not unmoved:
            continue
        chance = by_chance(worth(ours), worth(theirs))
        plain = mean_gap(unmoved)
        if plain < CLEAR * chance:
            continue
        axes = [along] if len(along) == 1 else [along, along[:1], along[1:]]
        found = {
            (order, tuple(dims)): _mixed(
                unmoved, functions(_renumbered(ours, dims, order), theirs), count
            )
            for order, dims in itertools.product(orders, axes)
        }
        (order, dims), (share, left) = min(found.items(), key=lambda item: item[1][1])
        if left > min(CHANCE * chance, CLOSER * plain):
            continue
        listed = ", ".join(str(k + 1) for k in order)
        which = "all draws" if share > 0.95 else f"about {share:.0%} of the draws"
        part = ""
        if len(dims) < len(along):
            part = "the rows of " if "state" in dims else "the columns of "
        yield Suspicion(
            f"Labels of components are swapped in {part}`{name}`, in {which}: with components in "
            f"the order {listed} there, it agrees with the reference.",
            "draws",
        )


def _renumbered(draws: xr.Dataset, along: list[str], order: tuple[int, ...]) -> xr.Dataset:
    """Variables with components in another order along some axes; the labels stay."""
    moved = draws.isel({dim: list(order) for dim in along})
    return draws.assign({n: v.copy(data=moved[n].values) for n, v in draws.items()})


def _mixed(plain: Functions, swapped: Functions, count: int) -> tuple[float, float]:
    """The share of renumbered draws that explains others best, and the distance that is left.

    Parameters
    ----------
    plain, swapped
        The distribution functions of the reference, as it is and renumbered, and of the others.
    count
        How many the others are.
    """
    if len(plain) != len(swapped):
        # A number that never varies has changed places with one that does.
        return 0.0, np.inf
    # By least squares, at the draws that are judged: there both are known.
    first, second, target = (
        np.stack([pair[i][-count:] for pair in pairs])
        for pairs, i in ((plain, 0), (swapped, 0), (plain, 1))
    )
    step = second - first
    share = float(np.clip(np.sum((target - first) * step) / max(np.sum(step**2), 1e-12), 0, 1))
    left = np.abs(target - first - share * step).max(axis=1)
    return share, float(left.mean())


def of_jacobians(fit: Fit, given: Fit) -> Iterator[Suspicion]:
    """Draws of the posterior without the log Jacobian of its parameters, or with it twice."""
    ours, theirs = _parameters(fit), _parameters(given)
    plain, reference, others = distance(ours, theirs), worth(ours), worth(theirs)
    found = []
    for name, sign, volume in _volumes(fit.model, ours):
        weights = np.exp(volume - volume.max())
        weights /= weights.sum()
        chance = by_chance(reference / (len(weights) * np.sum(weights**2)), others)
        found.append((distance(ours, theirs, weights), chance, name, sign))
    if not found:
        return
    apart, chance, name, sign = min(found)
    if apart < CLOSER * plain and apart < CHANCE * chance:
        wrong = "without" if sign < 0 else "with twice"
        yield Suspicion(
            f"The draws are of the posterior {wrong} the log Jacobian of {name}: with that the "
            "reference agrees with them.",
            "draws",
        )


def of_densities(fit: Fit, given: Fit, psis: Corrected, *, modal: bool) -> Iterator[Suspicion]:
    """Log densities by which weighted draws do not agree with the reference.

    Parameters
    ----------
    fit, given
        The reference, and the draws that have a density.
    psis
        The weights of all draws.
    modal
        Whether one of both lacks a mode, which weights do not mend.
    """
    ours, theirs = _parameters(fit), _parameters(given)
    good = np.isfinite(psis.log_ratios)
    log_ratios = psis.log_ratios[good]
    reference = worth(ours)

    # Of draws that hang together.
    efficiency = min(1.0, worth(theirs) / len(log_ratios))

    def agrees(log_weights: Array) -> tuple[float, float]:
        """The distance of weighted draws from the reference, and what of that is chance."""
        chance = by_chance(reference, efficiency * worth_of(log_weights))
        return distance(theirs, ours, np.exp(log_weights)), chance

    plain, chance = agrees(psis.log_weights[good])
    found = []
    for name, sign, volume in _volumes(fit.model, theirs):
        log_weights, k = smoothed(log_ratios - volume, efficiency)
        if k <= psis.good_k:
            found.append((*agrees(log_weights), efficiency * worth_of(log_weights), name, sign))
    if found and (plain > CHANCE * chance or not psis.is_good):
        apart, by, ess, name, sign = min(found)
        if apart < CHANCE * by and (apart < CLOSER * plain or ess > MORE * psis.ess):
            wrong = "lacks" if sign > 0 else "has once too often"
            yield Suspicion(
                f"`log_q` {wrong} the log Jacobian of {name}: with that the weighted draws agree "
                f"with the reference, and are worth {ess:.0f}, not {psis.ess:.0f}."
                + (_other_scale(psis, sign) if name == ALL else ""),
                "draws",
            )
            return
    if psis.lacking > LACKING:
        yield Suspicion(
            f"At {percent(psis.lacking)} of the reference's draws `log_q` is next to nothing: a "
            "part of the posterior is missing from the draws.",
            "draws",
        )
    elif not psis.is_good:
        yield Suspicion(
            f"The Pareto k of the weights is {psis.pareto_k:.2f}, above {psis.good_k:.2f}: the "
            "draws are too narrow somewhere, or `log_q` is not their density.",
            "draws",
        )
    elif plain > CLEAR * chance and not modal:
        yield Suspicion(
            "Weighted by `log_q` the draws differ from the reference: it is not their density, or "
            "they lack a part of the posterior.",
            "draws",
        )


def _other_scale(psis: Corrected, sign: float) -> str:
    """What it means if all of the Jacobian is missing, or there once too often."""
    is_of, should = ("parameters", "points without bounds")[:: int(sign)]
    if should != _WHAT[psis.scale]:
        return ""
    return f" It is a density of {is_of}, it seems, and not of {should}."


_WHAT = {"constrained": "parameters", "unconstrained": "points without bounds"}


def _parameters(fit: Fit) -> xr.Dataset:
    """The draws of a fit, without what follows from its parameters."""
    return fit.draws["posterior"].to_dataset()[list(template(fit.model.spec))]


def _volumes(model: Model, draws: xr.Dataset) -> list[tuple[str, float, Array]]:
    """Log Jacobians at draws, with either sign, of each parameter that has one, and of all."""
    transforms, points = model.transforms(), points_of(model, draws).values
    own = {
        f"`{part.name}`": part.bijection.log_jacobian(points[:, transforms.slices[part.name]])
        for part in transforms.parts
    }
    own = {name: volume for name, volume in own.items() if np.ptp(volume) > 1e-8}
    if own:
        # Of one alone it is the same.
        whole = np.sum(list(own.values()), axis=0)
        own = {ALL: whole, **own} if len(own) > 1 else {ALL: whole}
    return [(name, sign, sign * volume) for name, volume in own.items() for sign in (-1.0, 1.0)]
