"""The fitted model at one draw, as a distribution of which everything is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from stanmix.distributions import Component, HiddenMarkov, Mixture, component
from stanmix.emissions import Emission
from stanmix.errors import SpecError, listing, require_count
from stanmix.held import covariates, held, rows_at, without_groups
from stanmix.moments import Moments
from stanmix.spec import ModelSpec, Term

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]


def at(
    fit: Fit, draw: int | Sequence[int], *, at: Mapping[str, Any] | None = None
) -> Mixture | HiddenMarkov:
    """The model at one draw from the posterior, as a distribution of responses.

    Parameters
    ----------
    draw
        `(chain, draw)` as the draws are labelled, chains from 1 and draws from 0; or a number from
        0 on, which counts the draws of one chain after the other.
    at
        Where responses differ with covariates or trials: their values in the row that is meant, by
        column. What is not named stays where `effects` has it, numbers at their mean and levels at
        the first; effects of groups are 0.

    Returns
    -------
    Mixture or HiddenMarkov
        Of a row, or of series of such rows: see `stanmix.distributions`. Columns are in the order
        of the formula; categories and choices are codes from 1 in the order of their labels. What
        is censored in the data is not censored there.

    Raises
    ------
    SpecError
        There is no such draw; responses differ with covariates, and `at` is not given; the response
        is truncated, or rows of a unit share a state of a hidden Markov model.
    DataError
        A value is none that the covariate can have.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> first = f.at((1, 0))
    >>> first.K, bool(first.quantile(0.1) < 1 < 4 < first.quantile(0.9))
    (2, True)
    """
    spec = fit.model.spec
    _require_known(spec)
    values = _values(fit.draws["posterior"].to_dataset(), draw)
    differing = [*covariates(spec), *(effect.group.column for effect in spec.group_effects)]
    if differing and at is None:
        raise SpecError(
            f"Responses differ with {listing(dict.fromkeys(differing))}: name the row that is "
            "meant, as in `at={'x': 3}`; with `at={}` all stay at their means or first levels."
        )
    row = rows_at(held(spec, fit.model.table, at))
    moments = Moments(without_groups(spec), row, fit.model.encoded, [values])
    components = [_component(moments, k) for k in range(spec.K)]
    if spec.kind == "mix":
        return Mixture(moments.probabilities("weights")[0, 0], components)
    return HiddenMarkov(_initial(moments), moments.probabilities("transition")[0, 0], components)


def _require_known(spec: ModelSpec) -> None:
    """Raise SpecError if what is observed is no such distribution."""
    if any(response.truncated is not None for response in spec.responses):
        raise SpecError("The response is truncated: its families are not what is seen of it.")
    if spec.kind == "hmm" and spec.unit is not None:
        raise SpecError(
            f"Rows of one `{spec.unit}` share a state, where a series here has a row for each."
        )


def _values(posterior: xr.Dataset, draw: int | Sequence[int]) -> dict[str, Array]:
    """The parameters at one draw, by name."""
    chains, draws = posterior["chain"].values.tolist(), posterior["draw"].values.tolist()
    if isinstance(draw, Sequence) and not isinstance(draw, str):
        if len(draw) != 2:
            raise SpecError(f"`draw` is `(chain, draw)`, or a number, not {draw!r:.60}.")
        for name, given, known in zip(("chain", "draw"), draw, (chains, draws), strict=True):
            if given not in known:
                first, last = known[0], known[-1]
                raise SpecError(
                    f"There is no {name} {given!r:.60}; they go from {first} to {last}."
                )
        place = {"chain": chains.index(draw[0]), "draw": draws.index(draw[1])}
    else:
        require_count("draw", draw, 0, len(chains) * len(draws) - 1, what=", or a pair")
        place = dict(zip(("chain", "draw"), divmod(int(draw), len(draws)), strict=True))
    return {str(name): array.values for name, array in posterior.isel(place).items()}


def _component(moments: Moments, k: int) -> Component:
    """The distribution of the row in one component, its columns in the order of the formula."""
    spec, (values,) = moments.spec, moments.draws
    emission = Emission(spec, moments.table, moments.matrices, values, k, np.zeros(1, np.int64))
    order = [response.name for response in spec.responses]
    first, *others = (
        _of_term(emission, term)
        for term in sorted(spec.component(k), key=lambda term: order.index(term.responses[0]))
    )
    for other in others:
        first = first & other
    return first


def _of_term(emission: Emission, term: Term) -> Component:
    """The family of some columns, at its parameters in the only row."""
    given = emission.given(term)
    values = {
        param.name: np.asarray(value)[..., 0] if np.ndim(value) > len(param.axes) else value
        for param, value in zip(
            term.declaration.params, emission.values(term).values(), strict=True
        )
    }
    trials = int(given["trials"][0]) if "trials" in given else None
    return component(term.declaration, trials=trials, choices=given.get("A"), **values)


def _initial(moments: Moments) -> Array | str:
    """Probabilities of the first state, or what `HiddenMarkov` calls them."""
    named = moments.spec.initial
    if named in ("uniform", "stationary"):
        return str(named)
    if named == "first":
        return np.asarray(np.eye(moments.spec.K)[0])
    return np.asarray(moments.probabilities("initial")[0, 0])
