"""Warnings for models whose posterior may be improper, or does not identify its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stanmix.errors import listing
from stanmix.spec import ModelSpec, Prior, Use

VANISHING = ("inv_gamma", "lognormal")
"""Priors whose density falls to 0 at 0 faster than any power."""

SCALES = (1e-3, 1e9)
"""Standard deviations of a response within which sampling adapts without help."""


def identifiability_warnings(spec: ModelSpec, data: Mapping[str, Any]) -> Iterator[str]:
    """What to warn of before sampling: sentences.

    Parameters
    ----------
    spec, data
        The model and its data block.
    """
    yield from _flat(spec)
    yield from _collapse(spec, data)
    yield from _single_trials(spec, data)
    yield from _units_of_measurement(spec)


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


def _collapse(spec: ModelSpec, data: Mapping[str, Any]) -> Iterator[str]:
    """Tied rows let a component shrink onto them, unless the prior of its scale forbids it."""
    if spec.K == 1:
        return
    for component in spec.emissions:
        for term in component:
            family = term.declaration
            for param, argument in zip(family.params, term.arguments, strict=True):
                if not (param.scale and isinstance(argument, Use)):
                    continue
                parameter = spec.parameter(argument.parameter)
                loose = [e.prior for e in parameter.priors if not _keeps_off_zero(e.prior)]
                shared = "state" not in parameter.axes and len(spec.emissions) == 1
                ties = _ties(np.asarray(data[term.responses[0]]))
                if loose and not shared and ties > 1:
                    columns = spec.response(term.responses[0]).columns
                    yield (
                        f"{ties} rows of {listing(columns)} are equal, and the prior of "
                        f"`{parameter.name}`, {loose[0]}, does not keep a component from "
                        "collapsing onto them: the posterior may be improper. A prior such as "
                        f"inv_gamma(3, ..) on `{parameter.name}` prevents it."
                    )
                    return


def _keeps_off_zero(prior: Prior) -> bool:
    if prior.distribution == "uniform":
        low = prior.arguments[0].value
        return isinstance(low, float) and low > 0
    return prior.distribution in VANISHING


def _ties(values: np.ndarray[Any, Any]) -> int:
    """Size of the largest set of equal rows in any column."""
    columns = np.atleast_2d(values)
    return max(int(np.unique(column, return_counts=True)[1].max()) for column in columns)


def _single_trials(spec: ModelSpec, data: Mapping[str, Any]) -> Iterator[str]:
    """A mixture of Bernoulli rows is a Bernoulli distribution again."""
    if spec.kind != "mix" or spec.K == 1 or spec.unit is not None or not spec.homogeneous:
        return
    terms = spec.component(0)
    single = len(terms) == 1 and (
        terms[0].family == "bernoulli"
        or (terms[0].family == "binomial" and int(np.max(data["trials"])) < 2 * spec.K - 1)
    )
    if single:
        yield (
            f"A mixture of {spec.K} `{terms[0].family}` components is not identified with so few "
            "trials a row; rows that share a component can be joined with `unit(..)`."
        )


def _units_of_measurement(spec: ModelSpec) -> Iterator[str]:
    """NUTS adapts to the scale of a parameter only within limits."""
    for constant in spec.constants:
        scales = np.atleast_1d(np.asarray(constant.value))
        if constant.name.endswith("_scale") and not (
            (scales >= SCALES[0]).all() and (scales <= SCALES[1]).all()
        ):
            yield (
                f"The {constant.comment} is {scales.min():g}; sampling may fail on such a scale. "
                "Other units of measurement, in which it is near 1, would help."
            )
