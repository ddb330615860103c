"""What a family is tried with: parameters and responses, from its declaration alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stanmix.families import Column, Family, Param

Params = Mapping[str, Any]
Response = list[NDArray[Any]]
Uniform = Callable[[float, float], float]
"""Gives a number between two: from Hypothesis, or from a generator."""

CHOICES = 3
TRIALS = 12


@dataclass(frozen=True)
class Variant:
    """A family in models with these additions on the left side."""

    family: Family
    additions: frozenset[str]

    def __str__(self) -> str:
        return "+".join([self.family.key, *sorted(self.additions)])

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The response columns."""
        return self.family.columns(self.additions)

    @property
    def many(self) -> bool:
        """Whether the response has several columns at once."""
        return self.columns[0].many

    @property
    def discrete(self) -> bool:
        """Whether it has probabilities and no density."""
        return self.columns[0].kind in ("count", "binary", "category")

    @property
    def chooses(self) -> bool:
        """Whether a choice comes with it."""
        return self.columns[-1].kind == "choice"

    @property
    def tries(self) -> bool:
        """Whether trials come with it."""
        return self.columns[-1].addition == "trials"

    @property
    def choices(self) -> dict[str, int]:
        """The argument that a choice brings along."""
        if self.columns[0].kind == "category":
            return {"C": CHOICES}
        return {"A": self.columns[-1].choices or CHOICES} if self.chooses else {}

    @property
    def has_cumulative(self) -> bool:
        """Whether the family has a distribution function in this model."""
        return self.family.has_cumulative(self.additions)

    def shift(self, params: Params) -> float:
        """Where a positive response begins: at the parameter that it must stay above, or at 0."""
        return float(sum(params[p.name] for p in self.family.params if p.below))


def variants(family: Family) -> list[Variant]:
    """A family with each set of additions that it allows."""
    needed = {c.addition for c in family.response if c.addition and not c.optional}
    free = [c.addition for c in family.response if c.addition and c.optional]
    sets = chain.from_iterable(combinations(free, n) for n in range(len(free) + 1))
    return [Variant(family, frozenset(needed | set(additions))) for additions in sets]


def some_params(variant: Variant, uniform: Uniform, columns: int = 2) -> dict[str, Any]:
    """Parameters of ordinary size within their bounds."""
    sizes = {"column": columns, "accumulator": CHOICES, "category": CHOICES, "cut": CHOICES - 1}
    # Not U-shaped between 0 and 1, with mass closer to 1 than there are numbers.
    unit = variant.columns[0].kind in ("unit", "simplex")

    def number(param: Param) -> float:
        if param.lower is None and param.upper is not None:
            return param.upper - float(np.exp(uniform(-1.5, 1.5)))
        if param.lower is None:
            return uniform(-3, 3)
        if param.upper is not None:
            share = uniform(0.2, 0.8) if unit else uniform(0.03, 0.97)
            return param.lower + (param.upper - param.lower) * share
        if param.below is not None:
            return uniform(0.05, 0.5)
        # Not exactly 1, where a density can have a finite edge that it has nowhere else.
        return param.lower + (13.0 if unit else 1.03) * float(np.exp(uniform(-1.5, 1.5)))

    def value(param: Param) -> Any:
        if param.correlation:
            factor = np.tril([[uniform(-0.9, 0.9)] * columns for _ in range(columns)])
            np.fill_diagonal(factor, 1.0)
            factor /= np.linalg.norm(factor, axis=1, keepdims=True)
            return factor @ factor.T
        if param.simplex:
            weights = np.array([uniform(0.1, 1) for _ in range(sizes[param.axes[0]])])
            return weights / weights.sum()
        if param.axes:
            values = np.array([number(param) for _ in range(sizes[param.axes[0]])])
            return np.sort(values) + 0.1 * np.arange(len(values)) if param.increasing else values
        return number(param)

    params = {param.name: value(param) for param in variant.family.params}
    for param in variant.family.params:
        if param.above is not None:
            params[param.name] = params[param.above] + float(np.exp(uniform(-1.5, 1.5)))
    return params


def some_response(variant: Variant, params: Params, uniform: Uniform, rows: int = 6) -> Response:
    """Rows drawn from the reference and stretched, so that some lie in the tails."""
    rng = np.random.default_rng(int(uniform(0, 1e6)))
    if variant.tries:
        return [rng.integers(0, TRIALS + 1, rows), np.full(rows, TRIALS)]
    reference = variant.family.reference(**params)
    draws = np.asarray(reference.rvs(rows, random_state=rng, **variant.choices))
    first, *rest = draws.T if variant.chooses else [draws]
    if variant.columns[0].kind == "unit":
        odds = first / (1 - first)
        odds = odds ** uniform(0.5, 2)
        first = odds / (1 + odds)
    elif variant.columns[0].kind == "simplex":
        powers = first ** uniform(0.5, 2)
        first = powers / powers.sum(axis=0)
    elif variant.columns[0].kind not in ("binary", "category"):
        start = variant.shift(params)
        first = start + (first - start) * uniform(0.2, 6)
    return [first.astype(int) if variant.discrete else first, *(c.astype(int) for c in rest)]


def outside_response(variant: Variant, params: Params, response: Response) -> Response:
    """The rows of a response, followed by rows outside the support or at its edge.

    A choice is always one of its codes: it is an index, and checked with the data. So are trials.
    """
    start = variant.shift(params)
    strange: dict[str, list[float]] = {
        "real": [],
        "positive": [-1.0, -1e-300, 0.0, start / 2, start],
        "unit": [-1.0, -1e-300, 0.0, 1.0, 1.5],
        "angle": [],
        "count": [-30, -1, TRIALS + 1],
        "binary": [-1, 2, 7],
        "category": [],
        "choice": [],
        "simplex": [],
    }
    rows = list(zip(*response, strict=True))
    for place, column in enumerate(variant.columns):
        if column.addition == "trials":
            continue
        for value in strange[column.kind]:
            rows.append(tuple(value if i == place else c[0] for i, c in enumerate(response)))
    return [np.array(column) for column in zip(*rows, strict=True)]


def log_reference(variant: Variant, params: Params, response: Response) -> NDArray[Any]:
    """The log density according to the reference."""
    reference = variant.family.reference(**params)
    density = reference.logpmf if variant.discrete else reference.logpdf
    with np.errstate(all="ignore"):
        return np.asarray(density(*response, **variant.choices))
