"""Log densities of what is left out, given the rest, at known parameters.

The mean of such a density over draws that have not seen what is left out is its cross-validated
predictive density. What there is to leave out differs: a row, a unit, a series, or the future.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stanmix import latent
from stanmix.data import frequencies, is_missing
from stanmix.errors import SpecError, listing, require_one_of
from stanmix.program.rows import arrange
from stanmix.program.standata import possible_states
from stanmix.questions.asking import Asked, Block, Places

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

Kind = Literal["observation", "unit", "series", "future"]
"""What is left out."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What is left out, one after the other: things in the user's order.

    Parameters
    ----------
    asked
        The question, of all rows.
    kind
        `observation`: rows, each given all others. `unit`: what shares a state. `series`: series.
        `future`: rows or units, each given those before it in its series.
    """

    asked: Asked
    kind: Kind

    @cached_property
    def places(self) -> Places:
        """Their names."""
        if self.kind == "series":
            return Places("series", list(self.asked.rows.series_labels))
        return self.asked.row_places if self.kind == "observation" else self.asked.places

    @property
    def question(self) -> str:
        """What is predicted from what."""
        spec = self.asked.model.spec
        given = "the others" if spec.kind == "mix" else "those before and after it"
        if self.kind == "series":
            return f"each series (`{spec.series}`), predicted from the others"
        if self.kind == "unit":
            return f"each unit (`{spec.unit}`), predicted from {given}"
        if self.kind == "future":
            return f"each {'row' if spec.unit is None else 'unit'}, predicted from those before it"
        return f"each row, predicted from {given}{', those of its unit too' if spec.unit else ''}"

    @cached_property
    def seen(self) -> Mask:
        """Which of them have a response at all."""
        spec, table, rows = self.asked.model.spec, self.asked.table, self.asked.rows
        columns = [c for r in spec.responses if not r.addition for c in r.columns]
        by_row = ~np.all([is_missing(table, c) for c in columns], axis=0)
        if self._by_row:
            return np.asarray(by_row)
        heads = rows.heads if self.kind != "series" else rows.heads[rows.starts]
        return np.asarray(np.logical_or.reduceat(by_row[rows.order], heads))

    @cached_property
    def of_row(self) -> NDArray[np.int64]:
        """Which of them each of the user's rows belongs to."""
        if self._by_row:
            return np.arange(self.asked.table.n_rows)
        units = self.asked.rows.unit_of_row
        if self.kind != "series":
            return units
        return np.searchsorted(self.asked.rows.starts, units, side="right") - 1

    @cached_property
    def counts(self) -> Array:
        """How often each of them counts."""
        freq = self.asked.model.spec.freq
        if freq is None or self.kind != "observation":
            return np.ones(len(self.seen))
        return frequencies(self.asked.table, freq).astype(np.float64)

    @property
    def _by_row(self) -> bool:
        return self.kind == "observation" or (
            self.kind != "series" and self.asked.model.spec.unit is None
        )

    @property
    def _independent(self) -> bool:
        """Whether they are independent given the parameters."""
        if self.kind == "series":
            return True
        spec = self.asked.model.spec
        return spec.kind == "mix" and (spec.unit is None or self.kind == "unit")

    def _alone(self, places: NDArray[np.int64]) -> LeftOut:
        """Some of them, in the same order, without the rows of the others."""
        asked = self.asked
        table = asked.table.taken(np.flatnonzero(np.isin(self.of_row, places)))
        rows = arrange(asked.model.spec, table)
        return replace(self, asked=replace(asked, table=table, rows=rows))

    def log_terms(self, block: Block, unseen: Mask | None = None) -> Array:
        """Log density of each of them given the others: (draw, place).

        Parameters
        ----------
        block
            Draws.
        unseen
            Rows of the user's that are left out together with each of them; none if not given.
        """
        if self.kind == "series":
            return latent.log_likelihood(*block.chain) - _log_labels(block)
        if self.kind == "future":
            values = latent.log_predictive(block.log_omega, _log_ahead(block))
        else:
            order = self.asked.rows.order
            hidden = np.zeros(len(order), np.bool_) if unseen is None else unseen[order]
            rest = replace(block, by_row=np.where(hidden[:, None], 0.0, block.by_row))
            log_others = log_others_of(rest)
            if self.kind == "unit":
                values = latent.log_predictive(block.log_omega, log_others)
            else:
                values = _log_rows(block, log_others, hidden)
        return values[:, np.argsort(self.asked.rows.order)] if self._by_row else values

    def log_densities(
        self, places: NDArray[np.int64] | None = None, unseen: Mask | None = None
    ) -> Array:
        """`log_terms` of all draws, of some of them: (chain, draw, place)."""
        if places is not None and unseen is None and self._independent:
            # The others say nothing of these, and need not be worked out.
            return self._alone(places).log_densities()
        chosen = slice(None) if places is None else places
        values = [self.log_terms(block, unseen)[:, chosen] for block in self.asked.blocks()]
        joined = np.concatenate(values)
        return joined.reshape(self.asked.picked.sizes["chain"], -1, joined.shape[1])


def leave_out(asked: Asked, kind: str | None) -> LeftOut:
    """What is to be left out: of `kind`, if the model has that, or what it has by default.

    Parameters
    ----------
    asked
        The question, of all rows.
    kind
        See `LeftOut`. Not given: series if there are several, else units if rows share states,
        else rows.

    Raises
    ------
    SpecError
        The model has nothing of that kind.
    """
    spec, series = asked.model.spec, len(asked.rows.starts) > 1
    has: list[Kind] = ["observation"]
    has += ["unit"] if spec.unit is not None else []
    if spec.kind == "hmm":
        has += ["future", "series"] if series else ["future"]
    if kind is None:
        largest: list[Kind] = ["series", "unit", "observation"]
        return LeftOut(asked, next(k for k in largest if k in has))
    require_one_of("kind", kind, get_args(Kind))
    for known in has:
        if known == kind:
            return LeftOut(asked, known)
    lacks = {
        "unit": "Rows of this model do not share states: it has no units to leave out",
        "series": "This model has no series of which to leave out one",
        "future": "A mixture has no future",
    }
    raise SpecError(f"{lacks[kind]}; `kind` is one of {listing(has)}.")


def _log_labels(block: Block) -> Array:
    """Log probability of the labels that are known, of each series: (draw, series)."""
    if block.asked.model.spec.known is None:
        return np.zeros(1)
    _, *rest = block.chain
    return latent.log_likelihood(_labels_alone(block), *rest)


def _log_ahead(block: Block) -> Array:
    """Log state probabilities given the rows before, and all labels: (draw, place, state)."""
    log_predicted = latent.forward(*block.chain).log_predicted
    if block.asked.model.spec.known is None:
        return log_predicted
    _, _, transition, starts = block.chain
    labels = _labels_alone(block)
    return log_predicted + labels + latent.backward(labels, transition, starts)


def _labels_alone(block: Block) -> Array:
    """`log_omega` if only labels were known: (1, place, state)."""
    asked = block.asked
    possible = possible_states(asked.model.spec, asked.table, asked.rows)
    return np.where(possible, 0.0, -np.inf)[None]


def log_others_of(block: Block) -> Array:
    """Log state probabilities of each unit given the others, and what is known of its label."""
    asked, spec = block.asked, block.asked.model.spec
    if spec.kind == "mix":
        with np.errstate(divide="ignore"):
            log_others = np.log(block.weights)
        log_others = log_others if log_others.ndim == 3 else log_others[:, None]
    else:
        log_others = latent.log_given_others(*block.chain)
    if spec.known is None:
        return log_others
    return np.where(possible_states(spec, asked.table, asked.rows), log_others, -np.inf)


def _log_rows(block: Block, log_others: Array, hidden: Mask) -> Array:
    """Log density of each row given the others but for hidden ones: (draw, row as arranged)."""
    return latent.log_predictive(block.by_row, log_states_of_rows(block, log_others, hidden))


def log_states_of_rows(block: Block, log_others: Array, hidden: Mask) -> Array:
    """Log state probabilities of each row given the others but for hidden ones.

    Parameters
    ----------
    block
        Draws.
    log_others
        Those of each unit given other units: (draw, unit, state).
    hidden
        Rows, as arranged, that say nothing.

    Returns
    -------
    ndarray, shape (draw, row as arranged, state)
        Up to a constant of each row.
    """
    asked, spec = block.asked, block.asked.model.spec
    if spec.unit is None:
        return log_others
    rows, times = asked.rows, np.ones(len(hidden))
    if spec.freq is not None:
        times = frequencies(asked.table, spec.freq)[rows.order].astype(np.float64)
    times = np.where(hidden, 0.0, times)[:, None]
    unit_of = np.repeat(np.arange(len(rows.unit_size)), rows.unit_size)

    def of_others(values: Array) -> Array:
        """The sum over the unit; of a row that counts several times, one copy is left out."""
        summed = np.add.reduceat(times * values, rows.heads, axis=1)
        return np.asarray(summed[:, unit_of] - np.minimum(times, 1.0) * values)

    impossible = np.isneginf(block.by_row)
    rest = of_others(np.where(impossible, 0.0, block.by_row))
    rest = np.where(of_others(impossible.astype(np.float64)) > 0, -np.inf, rest)
    prior = log_others if log_others.shape[1] == 1 else log_others[:, unit_of]
    return np.asarray(prior + rest)
