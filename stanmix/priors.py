"""Priors as values: the distributions there are, and one of them as a prior of something.

The language reads them, the specification holds them, the program writes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Distribution:
    """A distribution of the prior language.

    Parameters
    ----------
    arguments
        Names of its arguments; a trailing `*` means that they must be positive.
    lower, upper
        Its support.
    reference
        Takes its arguments and returns the distribution as scipy has it.
    """

    arguments: tuple[str, ...]
    lower: float = -math.inf
    upper: float = math.inf
    reference: Callable[..., Any] = field(default=stats.norm, compare=False, repr=False)


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "normal": Distribution(("mu", "sigma*"), reference=stats.norm),
    "student_t": Distribution(("nu*", "mu", "sigma*"), reference=stats.t),
    "cauchy": Distribution(("mu", "sigma*"), reference=stats.cauchy),
    "double_exponential": Distribution(("mu", "sigma*"), reference=stats.laplace),
    "logistic": Distribution(("mu", "sigma*"), reference=stats.logistic),
    "lognormal": Distribution(
        ("mu", "sigma*"),
        lower=0,
        reference=lambda mu, sigma: stats.lognorm(sigma, scale=math.exp(mu)),
    ),
    "gamma": Distribution(
        ("shape*", "rate*"),
        lower=0,
        reference=lambda shape, rate: stats.gamma(shape, scale=1 / rate),
    ),
    "inv_gamma": Distribution(
        ("shape*", "scale*"),
        lower=0,
        reference=lambda shape, scale: stats.invgamma(shape, scale=scale),
    ),
    "exponential": Distribution(
        ("rate*",), lower=0, reference=lambda rate: stats.expon(scale=1 / rate)
    ),
    "weibull": Distribution(
        ("shape*", "scale*"),
        lower=0,
        reference=lambda shape, scale: stats.weibull_min(shape, scale=scale),
    ),
    "beta": Distribution(("a*", "b*"), lower=0, upper=1, reference=stats.beta),
    "uniform": Distribution(
        ("lower", "upper"), reference=lambda lower, upper: stats.uniform(lower, upper - lower)
    ),
    "flat": Distribution(()),
}
"""Priors of numbers."""

SHRINKING = ("horseshoe",)
"""Priors of all slopes of a regression together.

`horseshoe(global, slab, df, scale)` is the regularised horseshoe of Piironen and Vehtari (2017): a
coefficient is normal with the standard deviation `scale` times a local scale, half-Cauchy(0, 1),
times the global one, half-Cauchy(0, global), which a slab bounds: its squared width is
inv_gamma(df / 2, df / 2 * slab^2).
"""

SIMPLEX = ("dirichlet", "sticky", "flat")
"""Priors of what sums to 1; `sticky` is one of rows of `transition` alone."""

CIRCULAR = ("von_mises", "flat")
"""Priors of angles; flat is uniform."""

CORRELATION = ("lkj", "flat")
"""Priors of correlation matrices."""


Value = float | tuple[float, ...] | tuple[tuple[float, ...], ...]
"""A number; or one for each place of the last axis of a parameter, or of its last two."""


@dataclass(frozen=True)
class PriorArgument:
    """An argument of a prior: its Stan text, and its value."""

    text: str
    value: Value

    def at(self, index: tuple[int, ...]) -> float:
        """Its value for the element `index` (from 1) of a parameter."""
        depth = len(np.shape(self.value))
        return float(np.asarray(self.value)[tuple(i - 1 for i in index[len(index) - depth :])])


@dataclass(frozen=True)
class Prior:
    """A distribution of the prior language with its arguments; `flat` has none."""

    distribution: str
    arguments: tuple[PriorArgument, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(_shown(a.value) for a in self.arguments)
        return f"{self.distribution}({shown})" if self.arguments else self.distribution


def _shown(value: Value) -> str:
    """A value as the prior language writes it, without the noise of arithmetic."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return format_number(float(f"{value:.15g}"))


@dataclass(frozen=True)
class PriorEntry:
    """A prior and what it is a prior of.

    Parameters
    ----------
    prior
        The distribution.
    index
        Which elements of the parameter, from 1, with 0 for all along an axis; an index that says
        less than its axes goes on with 0. Of entries that apply, the one that says most wins, and
        of those the one that says it of a later axis.
    increments
        Whether it is a prior of the differences of neighbours along the parameter's order.
    """

    prior: Prior
    index: tuple[int, ...] = ()
    increments: bool = False

    def applies_to(self, element: tuple[int, ...]) -> bool:
        """Whether it is a prior of the element with this index."""
        return all(i in (0, e) for i, e in zip(self.index, element, strict=False))

    @property
    def precision(self) -> tuple[int, tuple[bool, ...]]:
        """What decides which of several entries wins: the largest."""
        said = tuple(i > 0 for i in self.index)
        return sum(said), tuple(reversed(said))


def literal(value: Value) -> str:
    """A value as Stan text.

    Examples
    --------
    >>> literal(5.0), literal((0.0, 2.5)), literal(((1.0, 2.0),))
    ('5', "[0, 2.5]'", "{[1, 2]'}")
    """
    if not isinstance(value, tuple):
        return format_number(value)
    if isinstance(value[0], tuple):
        return "{" + ", ".join(map(literal, value)) + "}"
    return f"[{', '.join(map(literal, value))}]'"


def format_number(value: float) -> str:
    """A number as Stan text, without loss.

    Examples
    --------
    >>> format_number(5.0), format_number(0.1)
    ('5', '0.1')
    """
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
