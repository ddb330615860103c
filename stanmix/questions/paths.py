"""Paths of states: the most likely one, paths drawn at random, and what these say of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix import latent
from stanmix.errors import DataError, Problem
from stanmix.program.standata import NewGroups
from stanmix.questions.asking import THIN, Block, ask, require_kind
from stanmix.questions.states import state_probabilities

if TYPE_CHECKING:
    from stanmix.fit import Fit

Integers = NDArray[np.int64]


def viterbi(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> xr.DataArray:
    """The most likely path of states for every draw, of a hidden Markov model.

    This is a path for each draw; the path at posterior means is something else.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `filtering`.

    Returns
    -------
    DataArray
        States 1 to K, (chain, draw, obs), or `unit` in place of `obs`; 0 in a series that has
        density 0 at that draw.

    Raises
    ------
    DataError, SpecError
        As of `filtering`.
    """
    require_kind(fit, "hmm", "viterbi", "responsibility()")
    return ask(fit, newdata, draws, new_groups).answered(lambda b: latent.viterbi(*b.chain)) + 1


def sample_states(
    fit: Fit,
    newdata: Any = None,
    *,
    draws: int | None = THIN,
    new_groups: NewGroups = "error",
    seed: int | None = None,
) -> xr.DataArray:
    """States drawn from their posterior, given all rows: one path for every draw.

    Over all draws, these are draws of parameters and states together. What depends on several
    states at once, such as how often they change, has its posterior distribution over them.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `responsibility`.
    seed
        Seed of what is drawn; that of the fit if not given.

    Returns
    -------
    DataArray
        States 1 to K, (chain, draw, obs), or `unit` in place of `obs`; 0 where a row, or its
        series, has density 0 at that draw.

    Raises
    ------
    DataError, SpecError
        As of `membership`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.sample_states().median(["chain", "draw"]).values.astype(int)
    array([1, 1, 1, 2, 2, 2, 2, 1, 1, 1])
    """
    asked = ask(fit, newdata, draws, new_groups, seed)
    rng = asked.random("states")
    return asked.answered(lambda block: drawn_states(block, rng)) + 1


def occupancy(
    fit: Fit,
    newdata: Any = None,
    *,
    draws: int | None = THIN,
    new_groups: NewGroups = "error",
    seed: int | None = None,
) -> xr.DataArray:
    """The share of rows, or units, that are in each state, for every draw of parameters and states.

    Not the weights, which are what the share would be in ever more data.

    Parameters
    ----------
    newdata, draws, new_groups, seed
        As in `sample_states`.

    Returns
    -------
    DataArray
        (chain, draw, state); sums to one over states; NaN at draws at which a row has density 0.

    Raises
    ------
    DataError, SpecError
        As of `sample_states`.
    """
    asked = ask(fit, newdata, draws, new_groups, seed)
    rng, K = asked.random("states"), fit.model.spec.K
    copies = asked.copies

    def counted(block: Block) -> NDArray[np.float64]:
        if (copies == 1).all():
            drawn = drawn_states(block, rng)
            found = np.where((drawn < 0)[..., None], np.nan, np.eye(K)[drawn])
            return np.asarray(found)
        # Each copy of a row has a component of its own.
        p = state_probabilities(block)
        impossible = np.isnan(p).any(axis=-1, keepdims=True)
        drawn = rng.multinomial(copies, np.where(impossible, 1 / K, p))
        return np.asarray(np.where(impossible, np.nan, drawn))

    shares = [each.sum(axis=1) / copies.sum() for each in asked.in_order(counted)]
    return asked.over_draws(np.concatenate(shares), {"state": asked.states})


def dwell_times(
    fit: Fit,
    newdata: Any = None,
    *,
    draws: int | None = THIN,
    new_groups: NewGroups = "error",
    seed: int | None = None,
) -> xr.DataArray:
    """How often each state lasted how long, for every draw of parameters and states.

    A stay is counted from the row, or unit, at which a state is entered to that at which it is
    left. The first and the last stay of a series are counted as far as they are seen.

    Parameters
    ----------
    newdata, draws, new_groups, seed
        As in `sample_states`.

    Returns
    -------
    DataArray
        Numbers of stays, (chain, draw, state, length), for lengths from 1 to the longest; NaN at
        draws at which a series has density 0.

    Raises
    ------
    SpecError
        The model is a mixture, whose components do not last.
    DataError
        As of `sample_states`; or times are left out, in which states are not known.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> stays = f.dwell_times().mean(["chain", "draw"])
    >>> stays.sel(length=[3, 4]).round().values
    array([[2., 0.],
           [0., 1.]])
    """
    require_kind(fit, "hmm", "dwell_times", "occupancy()")
    asked = ask(fit, newdata, draws, new_groups, seed)
    if (asked.rows.steps > 1).any():
        raise DataError(
            Problem(
                f"`{fit.model.spec.time}` leaves out times: how long states lasted is not known.",
                hint="add rows for the times between, without a response",
            )
        )
    rng = asked.random("states")
    paths = np.concatenate(list(asked.in_order(lambda block: drawn_states(block, rng))))
    counts = _stays(paths, asked.rows.starts, fit.model.spec.K)
    lengths = np.arange(1, counts.shape[-1] + 1)
    return asked.over_draws(counts, {"state": asked.states, "length": lengths})


def drawn_states(block: Block, rng: np.random.Generator) -> Integers:
    """States, from 0, drawn for each draw of either kind of model: (draw, place)."""
    if block.asked.model.spec.kind == "mix":
        return latent.sample_components(rng, block.log_omega, block.weights)
    return latent.sample_states(rng, *block.chain)


def _stays(paths: Integers, starts: Integers, K: int) -> NDArray[np.float64]:
    """How many stays there are of each state and length: (draw, state, length from 1)."""
    enters = np.ones(paths.shape, dtype=np.bool_)
    enters[:, 1:] = paths[:, 1:] != paths[:, :-1]
    enters[:, starts] = True
    draw, begins = np.nonzero(enters)
    # A stay ends where the next one begins, or with the rows.
    ends = np.append(begins[1:], 0)
    ends[ends <= begins] = paths.shape[1]
    lengths, state = ends - begins, paths[draw, begins]
    counts = np.zeros((len(paths), K, lengths.max()))
    possible = state >= 0
    np.add.at(counts, (draw[possible], state[possible], lengths[possible] - 1), 1.0)
    counts[(paths < 0).any(axis=1)] = np.nan
    return counts
