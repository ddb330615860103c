"""Hidden Markov models at known parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stanmix import latent
from stanmix.distributions import series
from stanmix.distributions.component import Component
from stanmix.distributions.emission import log_omega_of, require_alike
from stanmix.distributions.mixture import Mixture
from stanmix.distributions.parameters import probabilities
from stanmix.distributions.rows import as_rows, shaped
from stanmix.errors import DataError, SpecError, require_one_of

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HiddenMarkov:
    """A hidden Markov model at known parameters.

    Every method takes series of any leading shape: `y` has the shape (..., step), and
    (..., step, column) where a row has several columns. All steps are seen, at equal distances.

    Parameters
    ----------
    initial : array_like, shape (K,), or str
        Probabilities of the first state; or `uniform`, or `stationary`, as in a formula.
    transition : array_like, shape (K, K)
        Probabilities of moves, a row for each state that is left.
    components : sequence of Component
        The distribution of a row in each state: see `component` and `components`.

    Raises
    ------
    SpecError
        Probabilities are none, or are of another number of states; the components differ in their
        columns, or mix densities with probabilities; there is no stationary distribution.

    Examples
    --------
    >>> from stanmix.distributions import HiddenMarkov, components
    >>> moves = [[0.9, 0.1], [0.2, 0.8]]
    >>> target = HiddenMarkov("stationary", moves, components("poisson", rate=[1, 9]))
    >>> float(target.log_prob([0, 2, 9, 11]).round(3))
    -10.065
    >>> target.smoothing([0, 2, 9, 11]).round(2)[:, 1].tolist()
    [0.0, 0.02, 1.0, 1.0]
    """

    initial: Any
    transition: Any
    components: Sequence[Component]

    def __post_init__(self) -> None:
        alike = require_alike(self.components)
        K = len(alike)
        transition = probabilities("`transition`", self.transition, (K, K))
        first = self.initial
        if isinstance(first, str):
            require_one_of("initial", first, ("uniform", "stationary"))
            first = np.full(K, 1 / K) if first == "uniform" else _stationary(transition)
        object.__setattr__(self, "components", alike)
        object.__setattr__(self, "transition", transition)
        object.__setattr__(self, "initial", probabilities("`initial`", first, (K,)))

    def __repr__(self) -> str:
        return f"HiddenMarkov: {', '.join(map(repr, self.components))}"

    @property
    def K(self) -> int:
        """The number of states."""
        return len(self.components)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one row: `()` of a number, else `(columns,)`."""
        return self.components[0].event_shape

    def log_omega(self, y: ArrayLike) -> Array:
        """Log density of each row in each state.

        Parameters
        ----------
        y : array_like, shape (..., step) or (..., step, column)
            Series.

        Returns
        -------
        ndarray, shape (..., step, K)
            Minus infinity outside the support of a state.

        Raises
        ------
        DataError
            `y` has other columns or no step, or holds what is no finite number.
        """
        rows, batch = as_rows("y", y, self.event_shape)
        if not batch or not batch[-1]:
            raise DataError("`y` must have an axis of steps, of which there is one at least.")
        return log_omega_of(self.components, rows).reshape(*batch, self.K)

    def log_prob(self, y: ArrayLike) -> Array:
        """Log density of each series, all paths of states summed out.

        Parameters
        ----------
        y : array_like, shape (..., step) or (..., step, column)
            Series.

        Returns
        -------
        ndarray, shape (...)
            Minus infinity of a series that is not possible.

        Raises
        ------
        DataError
            As `log_omega`.
        """
        found = latent.log_likelihood(self.log_omega(y), self.initial, self.transition)
        return shaped(found, found.shape[:-1])

    def filtering(self, y: ArrayLike) -> Array:
        """Probability of each state given the rows so far.

        Parameters
        ----------
        y : array_like, shape (..., step) or (..., step, column)
            Series.

        Returns
        -------
        ndarray, shape (..., step, K)
            NaN from a row on that is not possible.

        Raises
        ------
        DataError
            As `log_omega`.
        """
        return latent.filtering(self.log_omega(y), self.initial, self.transition)

    def smoothing(self, y: ArrayLike) -> Array:
        """Probability of each state given all rows of its series.

        Parameters
        ----------
        y : array_like, shape (..., step) or (..., step, column)
            Series.

        Returns
        -------
        ndarray, shape (..., step, K)
            NaN in a series that is not possible.

        Raises
        ------
        DataError
            As `log_omega`.
        """
        return latent.smoothing(self.log_omega(y), self.initial, self.transition)

    def stationary(self) -> Mixture:
        """The distribution of a row in the long run, with its mean, variance and quantiles.

        Returns
        -------
        Mixture
            Of the states as often as they are visited.

        Raises
        ------
        SpecError
            Some states cannot be reached from others.

        Examples
        --------
        >>> from stanmix.distributions import HiddenMarkov, components
        >>> moves = [[0.9, 0.1], [0.2, 0.8]]
        >>> target = HiddenMarkov("uniform", moves, components("poisson", rate=[1, 9]))
        >>> float(target.stationary().mean().round(3))
        3.667
        """
        return Mixture(_stationary(self.transition), self.components)

    sample = series.sample
    dataset = series.dataset


def _stationary(transition: Array) -> Array:
    try:
        return latent.stationary(transition)
    except ValueError:
        raise SpecError(
            "Some states cannot be reached from others: there is no stationary distribution."
        ) from None
