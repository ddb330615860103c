"""What a model says of some rows: parameters, and moments of the response, over all states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stanmix.data import Table
from stanmix.design import Encodings
from stanmix.emissions import Emission, matrices_of, probabilities
from stanmix.errors import SpecError
from stanmix.families import Param
from stanmix.latent import stationary
from stanmix.spec import Design, ModelSpec, Response, Term, Use

Array = NDArray[np.float64]

Moment = Literal["mean", "var"]
"""As the references of families name them."""

CALLED = {"mean": "mean", "var": "variance"}

NONE = {"angle": "angles", "category": "categories"}
"""Kinds of responses that have no mean."""

NO_LONG_RUN = (
    "Some states cannot be reached from others, so that there is no long run, over whose states "
    "the response could be averaged."
)


@dataclass(frozen=True, eq=False)
class Moments:
    """Parameters, and moments of the response, in some rows at draws from the posterior.

    Parameters
    ----------
    spec, table, encoded
        The model, rows with covariates and trials, and how covariates are encoded.
    draws
        Parameters by name, for each draw.
    """

    spec: ModelSpec
    table: Table
    encoded: Encodings
    draws: Sequence[Mapping[str, Array]]

    @cached_property
    def matrices(self) -> dict[Design, Array]:
        """The designs of the rows."""
        designs = {design for r in self.spec.regressions for design in r.designs}
        return matrices_of({d: e for d, e in self.encoded.items() if d in designs}, self.table)

    def columns(self, moment: Moment) -> list[str]:
        """The columns of the response that have a moment."""
        seen = [r for r in self.spec.responses if not r.addition and not self._lacks(r, moment)]
        return [column for response in seen for column in response.columns]

    def lacks(self, moment: Moment) -> str | None:
        """Why no column has a moment, or there is nothing to average over; None if there is."""
        if not self.columns(moment):
            first = next(r for r in self.spec.responses if not r.addition)
            return self._lacks(first, moment)
        if self.spec.kind == "hmm":
            moves = np.array(self.spec.moves, dtype=np.float64)
            try:
                stationary(moves / moves.sum(axis=1, keepdims=True))
            except ValueError:
                return NO_LONG_RUN
        return None

    def _lacks(self, response: Response, moment: Moment) -> str | None:
        """Why the columns of a response have no such moment; None if they have."""
        name, called = ", ".join(response.columns), CALLED[moment]
        if response.kind in NONE:
            return f"`{name}` holds {NONE[response.kind]}, which have no {called}."
        if response.truncated is not None:
            return f"`{name}` is truncated: the {called} of what is seen is not known."
        for k in range(self.spec.K):
            for term in self.spec.component(k):
                if term.responses[0] == response.name:
                    values = self._emission(self.draws[0], k).values(term)
                    if not hasattr(term.declaration.reference(**values), moment):
                        return f"The family `{term.declaration.name}` declares no {called}."
        return None

    def in_states(self, moment: Moment, columns: list[str]) -> Array:
        """A moment of some columns in each state: (draw, row, column, state)."""
        found = np.empty((len(self.draws), self.table.n_rows, len(columns), self.spec.K))
        for k in range(self.spec.K):
            for term in self.spec.component(k):
                own = self.spec.response(term.responses[0]).columns
                if own[0] in columns:
                    places = [columns.index(column) for column in own]
                    found[:, :, places, k] = self._of(term, k, moment, len(own))
        # Scipy has no value where an integral diverges.
        return np.where(np.isnan(found), np.inf, found)

    def probabilities(self, name: str) -> Array:
        """`weights`, `initial` or `transition`: (draw, row, state), moves (.., state, state_to)."""
        by_row = [probabilities(self.spec, name, self.table, self.matrices, d) for d in self.draws]
        return np.stack(by_row)

    def parameter(self, use: Use, k: int, along: str | None) -> Array:
        """A parameter of a family in component `k`: (draw, row), or (draw, row, element)."""
        rows = self.table.n_rows
        values = [np.asarray(self._emission(at, k).value(use)) for at in self.draws]
        if along is None:
            return np.stack([np.broadcast_to(v, rows) for v in values])
        # A vector that is the same in all rows has no axis of rows.
        by_row = [v if v.ndim == 2 else v[:, None] for v in values]
        return np.stack([np.broadcast_to(v, (len(v), rows)).T for v in by_row])

    def shares(self) -> Array:
        """Probabilities of the states: weights, or those in the long run: (draw, row, state).

        Raises
        ------
        SpecError
            There is no long run.
        """
        if self.spec.kind == "mix":
            return self.probabilities("weights")
        try:
            return np.asarray(stationary(self.probabilities("transition")))
        except ValueError:
            raise SpecError(NO_LONG_RUN) from None

    def mean(self) -> Array:
        """The mean over states: (draw, row, column), of the columns that have one."""
        return self._averaged(self.in_states("mean", self.columns("mean")))

    def variance(self) -> Array:
        """The variance over states, within and between them: (draw, row, column)."""
        columns = self.columns("var")
        within, means = self.in_states("var", columns), self.in_states("mean", columns)
        with np.errstate(invalid="ignore"):
            off = means - self._averaged(means)[..., None]
            total = self._averaged(within + off**2)
        return np.where(np.isnan(total), np.inf, total)

    def _averaged(self, values: Array) -> Array:
        """Values (draw, row, column, state) over states."""
        shares = self.shares()[:, :, None]
        # A state that is never in counts for nothing, infinite as its moment may be.
        return np.asarray(np.sum(shares * np.where(shares > 0, values, 0.0), axis=-1))

    def _emission(self, at: Mapping[str, Array], k: int) -> Emission:
        rows = np.arange(self.table.n_rows)
        return Emission(self.spec, self.table, self.matrices, at, k, rows)

    def _of(self, term: Term, k: int, moment: Moment, count: int) -> Array:
        """A moment of the columns of one term: (draw, row, column)."""
        emissions = [self._emission(at, k) for at in self.draws]
        values, given = [e.values(term) for e in emissions], emissions[0].given(term)
        draws, rows = len(self.draws), self.table.n_rows
        params = term.declaration.params
        if all(not p.axes or p.by_row for p in params):
            # Draws are further rows: far quicker than a distribution of scipy's for each.
            merged = {
                p.name: np.concatenate([_in_rows(p, v[p.name], rows) for v in values], axis=-1)
                for p in params
            }
            given = {n: np.tile(v, draws) if np.ndim(v) else v for n, v in given.items()}
            by_row = getattr(term.declaration.reference(**merged), moment)(**given)
            flat = np.broadcast_to(by_row, (count, draws * rows))
            return np.moveaxis(flat.reshape(count, draws, rows), 0, -1)
        references = [term.declaration.reference(**v) for v in values]
        by_row = [getattr(reference, moment)(**given) for reference in references]
        return np.stack([np.broadcast_to(v, (count, rows)).T for v in by_row])


def _in_rows(param: Param, value: Any, rows: int) -> Array:
    """A parameter in every row: (row), or (element, row) of a vector."""
    array = np.asarray(value, dtype=np.float64)
    if param.axes and array.ndim == 1:
        array = array[:, None]
    return np.broadcast_to(array, (*array.shape[: len(param.axes)], rows))
