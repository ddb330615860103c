"""Why draws of another tool may differ from the reference: each a way in which such tools err."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from stanmix.diagnostics import independent_draws
from stanmix.errors import ConvergenceWarning
from stanmix.fit import Fit
from stanmix.foreign import Points, points_of, template
from stanmix.judging.psis import Corrected
from stanmix.modes import Modes
from stanmix.named_draws import numbers

Array = NDArray[np.float64]

Side = Literal["draws", "reference"]

FEWER = 3.0
"""A share that is so many times smaller than it should be is too small."""

MORE = 2.0
"""How many times more draws they must be worth on the other scale, for that to be the right one."""

CLOSER = 0.75
"""How much closer an explanation must bring both."""

MEAN_KS = 0.869
"""Mean of the largest difference of two distribution functions that are one, by its scale."""

CHANCE = 1.25
"""What is no more than so many times the mean is chance."""

SURE = 0.001
"""p-value from which a difference of shares is one."""

APART = 0.05
"""Mean distance of distribution functions from which an explanation is looked for."""

MOST_PERMUTED = 4
"""Most components whose numberings are all tried."""

CLIMBS = 25
"""Draws of each chain from which a mode is climbed to."""

LEAST = 0.01
"""Mass of the smallest mode that counts."""


@dataclass(frozen=True)
class Suspicion:
    """What speaks against one of two posteriors.

    Parameters
    ----------
    text
        A sentence.
    side
        Which one: the `draws` that are judged, or the `reference`.
    """

    text: str
    side: Side


def of_constraints(points: Points) -> Iterator[Suspicion]:
    """Draws beyond the bounds of the model, or whose components are in another order."""
    for text, share in points.broken.items():
        about = f"{share:.1%} of the draws break a constraint: {text}."
        if text.endswith("must increase"):
            about = f"Labels of components are swapped in {share:.1%} of the draws: {text}."
        elif "must lie between" in text:
            about = f"{share:.1%} of the draws are beyond a bound of the model: {text}."
        yield Suspicion(about, "draws")


def of_reference(fit: Fit) -> Iterator[Suspicion]:
    """What the reference says against itself."""
    for finding in fit.diagnose().findings:
        if finding.serious:
            yield Suspicion(f"The reference: {finding.what}", "reference")


def of_densities(psis: Corrected, other: Corrected) -> Iterator[Suspicion]:
    """A log density that is one on the other scale; and parts of the posterior that it lacks."""
    more = other.ess > MORE * psis.ess and other.pareto_k < psis.pareto_k
    if more or _range(other) < CLOSER * _range(psis):
        yield Suspicion(
            f"`log_q` is a density of {_WHAT[other.scale]}, it seems, and not of "
            f"{_WHAT[psis.scale]}: the log Jacobian is missing, or there once too often. With it "
            f"the draws are worth {other.ess:.0f}, and not {psis.ess:.0f}.",
            "draws",
        )
    if psis.lacking > LEAST:
        yield Suspicion(
            f"At {psis.lacking:.1%} of the reference's draws `log_q` is next to nothing: a part of "
            "the posterior is missing from the draws.",
            "draws",
        )


_WHAT = {"constrained": "parameters", "unconstrained": "points without bounds"}


def _range(psis: Corrected) -> float:
    """How far the log ratios of most draws lie apart: of the posterior itself they are alike."""
    known = psis.log_ratios[np.isfinite(psis.log_ratios)]
    return float(np.ptp(np.quantile(known, [0.1, 0.9])))


def of_labels(fit: Fit, draws: xr.Dataset) -> Iterator[Suspicion]:
    """Variables that agree with the reference once their components are renumbered."""
    K = fit.model.spec.K
    if not 1 < K <= MOST_PERMUTED:
        return
    reference = fit.draws["posterior"].to_dataset()
    orders = list(itertools.permutations(range(K)))
    for name, values in draws.items():
        along = [str(d) for d in values.dims if d in ("state", "state_to")]
        if name not in reference or not along:
            continue
        ours = reference[[name]]
        apart = {
            order: distance(ours, _renumbered(values, along, order).to_dataset(name=name))
            for order in orders
        }
        best = min(apart, key=apart.__getitem__)
        if apart[orders[0]] > APART and apart[best] < apart[orders[0]] / FEWER:
            listed = ", ".join(str(k + 1) for k in best)
            yield Suspicion(
                f"Labels of components are swapped in `{name}`: it agrees with the reference where "
                f"components are taken in the order {listed}.",
                "draws",
            )


def _renumbered(values: xr.DataArray, along: list[str], order: tuple[int, ...]) -> xr.DataArray:
    """A variable with its components in another order; the labels stay where they are."""
    moved = values.isel({dim: list(order) for dim in along})
    return values.copy(data=moved.values)


def of_jacobians(fit: Fit, draws: xr.Dataset) -> Iterator[Suspicion]:
    """Draws of the posterior without the log Jacobian of its parameters, or with it twice."""
    reference = fit.draws["posterior"].to_dataset()[list(template(fit.model.spec))]
    names = [name for name in reference if name in draws]
    points = points_of(fit.model, reference).values
    transforms = fit.model.transforms()
    own = {
        part.name: part.bijection.log_jacobian(points[:, transforms.slices[part.name]])
        for part in transforms.parts
    }
    volumes = {f"`{name}`": v for name, v in own.items() if np.ptp(v) > 1e-8}
    if len(volumes) > 1:
        volumes["all parameters"] = np.sum(list(volumes.values()), axis=0)
    ours, theirs = reference[names], draws[names]
    plain, found = distance(ours, theirs), {}
    for (name, volume), sign in itertools.product(volumes.items(), (-1.0, 1.0)):
        weights = np.exp(sign * volume - (sign * volume).max())
        found[name, sign] = weights / weights.sum()
    if not found:
        return
    apart = {key: distance(ours, theirs, weights) for key, weights in found.items()}
    name, sign = best = min(apart, key=apart.__getitem__)
    worth = _worth(ours) / (len(points) * np.sum(found[best] ** 2))
    chance = MEAN_KS * np.sqrt(1 / worth + 1 / _worth(theirs))
    if apart[best] < CLOSER * plain and apart[best] < CHANCE * chance:
        wrong = "without" if sign < 0 else "with twice"
        yield Suspicion(
            f"The draws are of the posterior {wrong} the log Jacobian of {name}: with that the "
            "reference agrees with them.",
            "draws",
        )


def _worth(draws: xr.Dataset) -> float:
    """How many independent draws some draws are worth."""
    values = np.stack(list(numbers(draws).values()), axis=-1)
    return independent_draws(values[..., np.ptp(values, axis=(0, 1)) > 0])


def of_modes(fit: Fit, given: Fit, seed: int) -> tuple[Modes, list[Suspicion]]:
    """Modes that one of both lacks, by climbs from draws of both and by importance sampling.

    Parameters
    ----------
    fit
        The reference.
    given
        The draws that are judged.
    seed
        Seed of what is drawn.
    """
    chains = fit.draws["posterior"].sizes["chain"]
    with warnings.catch_warnings():
        # That both have missed a mode is said below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = _together(fit, given, chains).modes(climbs=CLIMBS, seed=seed)
    named = [f"chain {c}" for c in range(1, 2 * chains + 1)]
    shares = found.table[named].fillna(0.0)
    ours = shares[named[:chains]].mean(axis=1)
    theirs = shares[named[chains:]].mean(axis=1)
    trusted = found.pareto_k <= found.good_k
    return found, list(_lacking(found.table["mass"], ours, theirs, CLIMBS * chains, trusted))


def _lacking(
    mass: pd.Series, ours: pd.Series, theirs: pd.Series, n: int, trusted: bool
) -> Iterator[Suspicion]:
    """Modes that the reference, the draws, or both lack, by their shares of `n` climbs each."""
    for mode in mass.index:
        a, b, m = float(ours[mode]), float(theirs[mode]), float(mass[mode])
        counts = np.rint([a * n, b * n]).astype(int)
        known = f", and importance sampling gives it about {m:.0%} of the mass" if trusted else ""
        apart = stats.fisher_exact([counts, n - counts]).pvalue < SURE
        if apart and b < a / FEWER:
            yield Suspicion(
                f"The draws lack a mode: {a:.0%} of the reference's draws are in it, and {b:.0%} "
                f"of theirs{known}.",
                "draws",
            )
        elif apart and a < b / FEWER and trusted and m < b / FEWER**2:
            yield Suspicion(
                f"{b:.0%} of the draws are in a mode with next to no mass ({m:.1%} by importance "
                "sampling).",
                "draws",
            )
        elif apart and a < b / FEWER:
            yield Suspicion(
                f"The reference lacks a mode: {b:.0%} of the draws are in it, and {a:.0%} of the "
                f"reference's{known}.",
                "reference",
            )
        elif trusted and m > LEAST and _rare(counts.sum(), 2 * n, m):
            yield Suspicion(
                f"A mode with about {m:.0%} of the mass has been found by neither: "
                "`inits=fit.modes().inits()` starts chains in it.",
                "reference",
            )


def _rare(count: int, n: int, mass: float) -> bool:
    """Whether a mode with a mass has been found far less often than it should be."""
    less = stats.binomtest(int(count), n, mass, alternative="less").pvalue < SURE
    return bool(less and count < n * mass / FEWER)


def _together(fit: Fit, given: Fit, chains: int) -> Fit:
    """Some draws of both, spread evenly: chains of the reference, and as many of the others."""
    groups: dict[str, list[xr.Dataset]] = {}
    for each in (fit, given):
        total = each.draws["posterior"].sizes["chain"] * each.draws["posterior"].sizes["draw"]
        places = np.linspace(0, total - 1, chains * CLIMBS).round().astype(np.int64)
        for name in ("posterior", "sampled", "sample_stats"):
            if name not in each.draws:
                continue
            own = each.draws[name].to_dataset()
            if name == "sample_stats":
                own = own[["lp"]]
            flat = {
                n: v.transpose("chain", "draw", ...).values.reshape(-1, *v.shape[2:])[places]
                for n, v in own.items()
            }
            again = xr.Dataset(
                {
                    n: (own[n].dims, v.reshape(chains, CLIMBS, *v.shape[1:]))
                    for n, v in flat.items()
                },
                coords={d: c for d, c in own.coords.items() if d not in ("chain", "draw")},
                attrs=own.attrs,
            )
            groups.setdefault(name, []).append(again)
    along = {"chain": np.arange(1, 2 * chains + 1), "draw": np.arange(CLIMBS)}
    joined = {n: xr.concat(parts, "chain").assign_coords(along) for n, parts in groups.items()}
    joined["sample_stats"].attrs = fit.draws["sample_stats"].attrs
    return replace(fit, draws=xr.DataTree.from_dict(joined))


def distance(a: xr.Dataset, b: xr.Dataset, weights: Array | None = None) -> float:
    """Mean largest difference of the distribution functions of all numbers.

    Parameters
    ----------
    a, b
        Draws of the same variables.
    weights
        Of the draws of `a`, which sum to 1; all alike if not given.
    """
    ours, theirs = numbers(a), numbers(b)
    each = []
    for name, values in ours.items():
        x, y = values.ravel(), np.sort(theirs[name].ravel())
        if np.ptp(x) == 0:
            continue
        order = np.argsort(x)
        own = np.full(len(x), 1 / len(x)) if weights is None else weights[order]
        at = np.concatenate([x[order], y])
        first = np.concatenate([[0.0], np.cumsum(own)])[np.searchsorted(x[order], at, "right")]
        second = np.searchsorted(y, at, "right") / len(y)
        each.append(float(np.abs(first - second).max()))
    return float(np.mean(each)) if each else 0.0
