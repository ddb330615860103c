"""Mixtures at known parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix import latent
from stanmix.distributions import draws, moments, tails
from stanmix.distributions.component import Component
from stanmix.distributions.emission import log_omega_of, require_alike
from stanmix.distributions.parameters import probabilities
from stanmix.distributions.rows import as_rows, shaped
from stanmix.errors import SpecError, require_count

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture at known parameters.

    Every method takes values of any leading shape. Of components that are distributions of a
    number, `x` has the shape (...); of several columns, (..., column). `event_shape` says which.

    Parameters
    ----------
    weights : array_like, shape (K,)
        The proportions, which sum to 1; some may be 0.
    components : sequence of Component
        As many distributions of a row, of the same columns: see `component` and `components`.

    Raises
    ------
    SpecError
        The weights are none, or are of another number of components; or the components differ in
        their columns, or mix densities with probabilities.

    Examples
    --------
    >>> from stanmix.distributions import Mixture, component, components
    >>> target = Mixture([0.3, 0.7], components("normal", mu=[0, 4], sigma=[1, 2]))
    >>> target.log_prob([0.0, 1e3]).round(3).tolist()
    [-1.976, -124003.969]
    >>> float(target.mean()), float(target.variance().round(2))
    (2.8, 6.46)
    >>> heavy = Mixture([0.5, 0.5], [component("normal", mu=0, sigma=1),
    ...                              component("student", mu=0, sigma=1, nu=2)])
    >>> f"{heavy.quantile(1e-300):.6g}"
    '-5e+149'
    """

    weights: Any
    components: Sequence[Component]

    def __post_init__(self) -> None:
        alike = require_alike(self.components)
        weights = probabilities("`weights`", self.weights, (len(alike),))
        object.__setattr__(self, "components", alike)
        object.__setattr__(self, "weights", weights)

    def __repr__(self) -> str:
        shown = zip(self.weights[:6], self.components[:6], strict=True)
        more = f" + {self.K - 6} more" if self.K > 6 else ""
        return f"Mixture: {' + '.join(f'{w:.4g} {c}' for w, c in shown)}{more}"

    @property
    def K(self) -> int:
        """The number of components."""
        return len(self.components)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one row: `()` of a number, else `(columns,)`."""
        return self.components[0].event_shape

    def log_omega(self, x: ArrayLike) -> Array:
        """Log density of each row in each component.

        Parameters
        ----------
        x : array_like, shape (...) or (..., column)
            Values.

        Returns
        -------
        ndarray, shape (..., K)
            Minus infinity outside the support of a component.

        Raises
        ------
        DataError
            `x` has other columns, or holds what is no finite number.
        """
        rows, batch = as_rows("x", x, self.event_shape)
        return log_omega_of(self.components, rows).reshape(*batch, self.K)

    def log_prob(self, x: ArrayLike) -> Array:
        """Log density of each row; of whole numbers, their log probability.

        Parameters
        ----------
        x : array_like, shape (...) or (..., column)
            Values.

        Returns
        -------
        ndarray, shape (...)
            Minus infinity outside the support.

        Raises
        ------
        DataError
            As `log_omega`.
        """
        rows, batch = as_rows("x", x, self.event_shape)
        found = latent.mixture_log_density(log_omega_of(self.components, rows), self.weights)
        return shaped(found, batch)

    def responsibility(self, x: ArrayLike) -> Array:
        """Probability of each component given each row.

        Parameters
        ----------
        x : array_like, shape (...) or (..., column)
            Values.

        Returns
        -------
        ndarray, shape (..., K)
            NaN outside the support.

        Raises
        ------
        DataError
            As `log_omega`.
        """
        return latent.responsibility(self.log_omega(x)[..., None, :], self.weights)[..., 0, :]

    def score(self, x: ArrayLike) -> Array:
        """Gradient of the log density by `x`.

        The scores of the components, weighted by `responsibility`, which keeps its digits however
        far `x` is from all of them.

        Parameters
        ----------
        x : array_like, shape (...) or (..., column)
            Values.

        Returns
        -------
        ndarray
            As `x`; NaN outside the support.

        Raises
        ------
        DataError
            As `log_omega`.
        SpecError
            `x` is no vector of free numbers (but counts, choices, or shares that sum to 1), or a
            family declares no score.

        Examples
        --------
        >>> from stanmix.distributions import Mixture, components
        >>> target = Mixture([0.5, 0.5], components("normal", mu=[-4, 4], sigma=1))
        >>> target.score([0.0, 1e3]).tolist()
        [0.0, -996.0]
        """
        rows, batch = as_rows("x", x, self.event_shape)
        share = latent.responsibility(log_omega_of(self.components, rows), self.weights)
        found = np.where(np.isnan(share[:, :1]), np.nan, np.zeros_like(rows))
        for k, one in enumerate(self.components):
            score, own = one.score(rows), share[:, [k]]
            # A component that counts for nothing may have an infinite score, or none.
            with np.errstate(invalid="ignore"):
                found += np.where(own > 0, own * score, 0.0)
        return shaped(found, (*batch, *self.event_shape))

    mean = moments.mean
    variance = moments.variance
    covariance = moments.covariance
    cdf = tails.cdf
    survival = tails.survival
    quantile = tails.quantile
    sample = draws.sample
    dataset = draws.dataset

    def marginal(self, columns: int | Sequence[int]) -> Mixture:
        """The distribution of some of the columns.

        Parameters
        ----------
        columns
            A column, counted from 0, for the distribution of a number, which has a `cdf`; or
            several in their order, for that of a row of these.

        Returns
        -------
        Mixture
            With the same weights.

        Raises
        ------
        SpecError
            There are no such columns, or a family of several columns is none of some of them.

        Examples
        --------
        >>> from stanmix.distributions import gaussian_mixture
        >>> target = gaussian_mixture([0.5, 0.5], [[0, 0], [2, 6]], sigma=1)
        >>> target.marginal(1)
        Mixture: 0.5 normal(mu=0, sigma=1) + 0.5 normal(mu=6, sigma=1)
        """
        alone = not isinstance(columns, Iterable)
        wanted = list(columns) if isinstance(columns, Iterable) else [columns]
        width = len(self.components[0].kinds)
        for column in wanted:
            require_count("columns", column, 0, width - 1)
        if not wanted or any(a >= b for a, b in pairwise(wanted)):
            raise SpecError("`columns` must be some of the columns, in their order.")
        if not self.event_shape:
            return self
        chosen = [int(column) for column in wanted]
        return Mixture(self.weights, [c.marginal(chosen, alone=alone) for c in self.components])
