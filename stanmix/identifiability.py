"""Warnings for models whose posterior may be improper, or does not identify its parameters."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.clusters import cluster, standardise
from stanmix.collapse import collapse_warnings
from stanmix.errors import listing
from stanmix.program.standata import values_by_row
from stanmix.spec import ModelSpec, Parameter, Use

SCALES = (1e-3, 1e9)
"""Standard deviations of a response within which sampling adapts without help."""


APART = 20.0
"""How many widths of a component the scale of all rows may be before its prior is looked at."""

HELD = 0.05
"""Share of the smallest eigenvalue of a correlation matrix that its prior may make up."""

SHIFT = 3.0
"""Standard errors by which a default prior may move a scale before it is warned of."""


def identifiability_warnings(spec: ModelSpec, data: Mapping[str, Any]) -> Iterator[str]:
    """What to warn of before sampling: sentences.

    Parameters
    ----------
    spec, data
        The model and its data block.
    """
    yield from _flat(spec)
    yield from collapse_warnings(spec, data)
    yield from _copies(spec)
    yield from _few_trials(spec, data)
    yield from _units_of_measurement(spec)
    yield from _narrow_components(spec, data)


def held_correlations(spec: ModelSpec, draws: xr.DataTree, rows: int) -> Iterator[str]:
    """What to warn of after sampling: priors that keep correlations from where the rows are.

    The guard of `lkj(eta, guard)` adds 2 guard / n to the smallest eigenvalue that n rows have, and
    the likelihood makes up for it by smaller standard deviations: by a factor of up to sqrt(2).

    Parameters
    ----------
    spec
        The model.
    draws
        The draws of a fit.
    rows
        Rows of the data.
    """
    for parameter in spec.parameters:
        if parameter.constraint != "correlation" or spec.declared(parameter) is None:
            continue
        by_state = parameter.axes[0] == "state"
        corr = np.asarray(draws["posterior"][parameter.name])
        smallest = np.linalg.eigvalsh(corr)[..., 0].mean(axis=(0, 1))
        for k, eigenvalue in enumerate(np.atleast_1d(smallest), 1):
            prior = parameter.prior_at((k,) if by_state else ())
            if prior is None or len(prior.arguments) < 2:
                continue
            guard = float(np.asarray(prior.arguments[1].value))
            if 2 * guard * (spec.K if by_state else 1) > HELD * rows * eigenvalue:
                columns = [str(label) for label in spec.labels["column"]]
                where = f" of component {k}" if by_state and spec.K > 1 else ""
                yield (
                    f"{listing(columns)} are nearly collinear{where}, and the prior of "
                    f"`{parameter.name}`, {prior}, keeps them from being so: their standard "
                    "deviations come out too small. Leave out a column that another one "
                    "determines, or give a smaller guard, such as lkj(2, 1e-5)."
                )
                break


def _flat(spec: ModelSpec) -> Iterator[str]:
    names = [
        p.name
        for p in spec.parameters
        if p.constraint == "none"
        and (p.lower is None or (p.upper is None and p.below is None))
        and any(e.prior.distribution == "flat" for e in p.priors)
    ]
    if names:
        yield f"The prior of {listing(names)} is flat, so the posterior may be improper."


def _copies(spec: ModelSpec) -> Iterator[str]:
    """Components with nothing of their own."""
    for first, second in itertools.combinations(range(spec.K), 2):
        terms = spec.component(first)
        arguments = [a for term in terms for a in term.arguments]
        if terms == spec.component(second) and not any(
            isinstance(a, Use) and a.by_state for a in arguments
        ):
            yield (
                f"Components {first + 1} and {second + 1} are the same distribution, so nothing "
                "in the data tells them apart."
            )
            return


def _few_trials(spec: ModelSpec, data: Mapping[str, Any]) -> Iterator[str]:
    """A mixture of counts of successes has no more parameters than its table has free cells."""
    families = {term.family for component in spec.emissions for term in component}
    if (
        spec.kind != "mix"
        or spec.K == 1
        or spec.regressions
        or not families <= {"bernoulli", "binomial"}
    ):
        return
    cells = 1.0
    for term in spec.component(0):
        trials = np.ones(data["N"]) if term.family == "bernoulli" else data["trials"]
        if spec.unit is not None:
            sizes = np.asarray(data["unit_size"])
            trials = np.add.reduceat(trials, np.cumsum(sizes) - sizes)
        cells *= 1.0 + float(np.max(trials))
    free = sum(spec.K if p.axes else 1 for p in spec.parameters if p.name != "weights")
    if spec.K - 1 + free > cells - 1:
        yield (
            f"With at most {cells:.0f} distinct outcomes of a {'unit' if spec.unit else 'row'}, a "
            f"mixture of {spec.K} such components is not identified: its posterior follows the "
            "prior in some directions. Rows that share a component can be joined with `unit(..)`."
        )


def _units_of_measurement(spec: ModelSpec) -> Iterator[str]:
    """NUTS adapts to the scale of a parameter only within limits."""
    for constant in spec.constants:
        if not constant.name.endswith("_scale") or constant.axes not in ((), ("column",)):
            continue
        scales = np.atleast_1d(np.asarray(constant.value))
        if not ((scales >= SCALES[0]).all() and (scales <= SCALES[1]).all()):
            yield (
                f"The {constant.comment} is {scales.min():g}; sampling may fail on such a scale. "
                "Other units of measurement, in which it is near 1, would help."
            )


def _narrow_components(spec: ModelSpec, data: Mapping[str, Any]) -> Iterator[str]:
    """Groups so far apart, or outliers so far out, that a default scale is far too wide.

    With regressions the rows of a component lie apart for other reasons, and nothing is said.
    inv_gamma(3, s) moves the scale w of a component of n rows by about s / (2 n w) of its size,
    and the data leave it uncertain by 1 / sqrt(2 n): the ratio is s / (w sqrt(2 n)).
    """
    for constant in spec.constants if not spec.emission_regressions else ():
        named = [p.name for p in spec.parameters if p.param == "sigma" and _uses(p, constant.name)]
        if not named or not constant.name.endswith("_scale"):
            continue
        response = spec.response(re.sub("(_positive)?(_log)?_scale$", "", constant.name))
        y = np.atleast_2d(values_by_row(response, data))
        y = y[:, ~np.isnan(y).any(axis=0)]
        if "_log_" in constant.name:
            y = np.log(y[y > 0])[None]
        if y.shape[1] < 10 * spec.K:
            # Groups of a few rows have no width to speak of.
            continue
        widths = _widths(y, spec.K)
        scales = np.atleast_1d(np.asarray(constant.value))
        ratio = np.divide(scales, widths, out=np.zeros(len(widths)), where=widths > 0)
        worst = int(np.argmax(ratio))
        moved = ratio[worst] / np.sqrt(2 * y.shape[1] / spec.K)
        if ratio[worst] > APART and moved > SHIFT:
            yield (
                f"Groups or outliers of `{response.columns[worst]}` lie so far apart that the "
                f"default prior of `{named[0]}`, scaled by all rows, is too wide for a component: "
                f"it would move it by {moved:.0f} standard errors. Give a prior, such as "
                f"inv_gamma(3, {widths[worst]:.2g})."
            )


def _uses(parameter: Parameter, constant: str) -> bool:
    return any(
        re.search(rf"\b{constant}\b", argument.text)
        for entry in parameter.priors
        for argument in entry.prior.arguments
    )


def _widths(y: NDArray[np.float64], K: int) -> NDArray[np.float64]:
    """A typical deviation of the rows of a group from its median, by column."""
    groups = cluster(standardise(y.T), K, np.random.default_rng(1))
    medians = np.stack([np.median(y[:, groups == k], axis=1) for k in range(K)], axis=1)
    return np.asarray(1.4826 * np.median(np.abs(y - medians[:, groups]), axis=1))
