"""Which component or state a row is in: of a mixture, and of a hidden Markov model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stanmix import latent
from stanmix.diagnostics import APART, summarise
from stanmix.errors import ConvergenceWarning, warn
from stanmix.program.standata import NewGroups
from stanmix.questions.asking import THIN, Block, ask, require_kind

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]


def log_omega(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> xr.DataArray:
    """Log density of every row in every state, for every draw.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `responsibility`.

    Returns
    -------
    DataArray
        (chain, draw, obs, state): by row also where rows share a state.

    Raises
    ------
    DataError
        `newdata` do not fit the model.
    """
    asked = ask(fit, newdata, draws, new_groups)
    values = np.concatenate([block.by_row for block in asked.blocks()])
    back = np.argsort(asked.rows.order)
    return asked.labelled(values[:, back], asked.row_places, state=asked.states)


def responsibility(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> xr.DataArray:
    """p(component | row) for every draw, of a mixture.

    Parameters
    ----------
    newdata
        Other rows with the columns of the model; the rows of the fit if not given.
    draws
        About how many draws to use, evenly thinned within chains; None for all.
    new_groups
        What becomes of groups, of group-level terms, that the fit has not seen: "error", or
        "draw" to draw their effects from the distribution of groups.

    Returns
    -------
    DataArray
        (chain, draw, obs, state), or `unit` in place of `obs` where rows share a component.

    Raises
    ------
    SpecError
        The model is a hidden Markov model, whose states depend on more than their row.
    DataError
        `newdata` do not fit the model, or hold a row that no component can have.
    SpecError
        `draws` is no whole number from 1 on.

    Warns
    -----
    ConvergenceWarning
        A row has density 0 in every component at some draws, where the answer is NaN.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.responsibility({"y": [0.1]}, draws=None).mean(["chain", "draw"]).round().values
    array([[1., 0.]])
    """
    require_kind(fit, "mix", "responsibility", "filtering() or smoothing()")
    asked = ask(fit, newdata, draws, new_groups)
    return asked.answered(state_probabilities, state=asked.states)


def membership(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> pd.DataFrame:
    """Posterior probability of every component or state, averaged over draws.

    For a hidden Markov model given the whole series, as `smoothing` has it.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `responsibility`.

    Returns
    -------
    DataFrame
        A row for each row of data (or unit, with its series where there are several), a column
        `1`, ..., `K` for each state.

    Raises
    ------
    DataError, SpecError
        As of `responsibility`.

    Warns
    -----
    ConvergenceWarning
        Chains disagree and nothing orders the components, so that an average over chains may
        mean nothing; or a row has density 0 in every component at some draws, which are left
        out.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.membership().idxmax(axis=1).tolist()
    [1, 1, 1, 1, 2, 2, 2, 2]
    """
    warn_of_labels(fit)
    asked = ask(fit, newdata, draws, new_groups)
    # Summed block by block: the answers of all draws need not be in memory at once.
    total, count = 0.0, 0
    for probabilities in asked.answers(state_probabilities):
        total = total + np.nansum(probabilities, axis=0)
        count = count + np.isfinite(probabilities).sum(axis=0)
    states = pd.Index(asked.states, name="state")
    return pd.DataFrame(np.asarray(total / count), index=asked.places.index, columns=states)


def filtering(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> xr.DataArray:
    """p(state at t | rows up to t) for every draw, of a hidden Markov model.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `responsibility`. New data are series of their own.

    Returns
    -------
    DataArray
        (chain, draw, obs, state), or `unit` in place of `obs`; with the coordinate `series`
        along it where there are several.

    Raises
    ------
    SpecError
        The model is a mixture, which has no time.
    DataError
        As of `responsibility`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [0, 1, 0, 9, 8, 11, 9, 1, 0, 0]
    >>> f = sm.fit("y ~ hmm(poisson, states=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.filtering().mean(["chain", "draw"]).values.argmax(axis=1) + 1
    array([1, 1, 1, 2, 2, 2, 2, 1, 1, 1])
    """
    require_kind(fit, "hmm", "filtering", "responsibility()")
    asked = ask(fit, newdata, draws, new_groups)
    return asked.answered(lambda b: latent.filtering(*b.chain), state=asked.states)


def backward_filtering(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> xr.DataArray:
    """p(state at t | rows from t on) for every draw, of a hidden Markov model.

    What the future says, and the row itself, with nothing of the past but where the chain is likely
    to be at t before any row is seen.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `filtering`.

    Returns
    -------
    DataArray
        As of `filtering`.

    Raises
    ------
    DataError, SpecError
        As of `filtering`.
    """
    require_kind(fit, "hmm", "backward_filtering", "responsibility()")
    asked = ask(fit, newdata, draws, new_groups)
    return asked.answered(lambda b: latent.backward_filtering(*b.chain), state=asked.states)


def smoothing(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> xr.DataArray:
    """p(state at t | all rows of its series) for every draw, of a hidden Markov model.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `filtering`.

    Returns
    -------
    DataArray
        As of `filtering`.

    Raises
    ------
    DataError, SpecError
        As of `filtering`.
    """
    require_kind(fit, "hmm", "smoothing", "responsibility()")
    asked = ask(fit, newdata, draws, new_groups)
    return asked.answered(state_probabilities, state=asked.states)


def entropy(
    fit: Fit, newdata: Any = None, *, draws: int | None = THIN, new_groups: NewGroups = "error"
) -> xr.Dataset:
    """How uncertain the states are, in nats, for every draw.

    Parameters
    ----------
    newdata, draws, new_groups
        As in `responsibility`.

    Returns
    -------
    Dataset
        `each` (chain, draw, obs), from 0 where the state is certain to log K; `unit` in place of
        `obs` where rows share a state. And `total` (chain, draw), of all states together: the sum
        of `each` for a mixture, as often as each counts, and less for a hidden Markov model, whose
        states tell of each other. NaN where a row, or its series, has density 0.

    Raises
    ------
    DataError, SpecError
        As of `membership`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> bool(f.entropy({"y": [0.0, 2.5]})["each"].mean(["chain", "draw"]).values.argmax() == 1)
    True
    """
    asked = ask(fit, newdata, draws, new_groups)
    totals: list[Array] = []

    def each(block: Block) -> Array:
        found = latent.entropy(state_probabilities(block))
        mixture = fit.model.spec.kind == "mix"
        whole = asked.copies * found if mixture else latent.path_entropy(*block.chain)
        totals.append(whole.sum(axis=1))
        return found

    by_place = asked.answered(each)
    total = asked.over_draws(np.concatenate(totals), {})
    return xr.Dataset({"each": by_place, "total": total})


def state_probabilities(block: Block) -> Array:
    """p(state | rows) of either kind of model: (draw, place, state)."""
    if block.asked.model.spec.kind == "mix":
        return latent.responsibility(block.log_omega, block.weights)
    return latent.smoothing(*block.chain)


def warn_of_labels(fit: Fit) -> None:
    """Warn before averaging over chains whose labels, or modes, differ."""
    if not fit.model.spec.labels_may_switch:
        return
    worst = summarise(fit.draws["posterior"].to_dataset())["r_hat"].max()
    if worst > APART:
        warn(
            f"Chains disagree about the parameters (R-hat {worst:.2f}) and nothing orders the "
            "components, so their numbers may mean different things in different chains, and "
            "averages over chains may mean nothing.",
            ConvergenceWarning,
        )
