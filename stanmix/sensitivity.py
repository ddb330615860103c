"""How much the posterior changes with the prior, and with the likelihood, by power scaling.

References
----------
Kallioinen, N., Paananen, T., Bürkner, P.-C., & Vehtari, A. (2024). Detecting and diagnosing prior
and likelihood sensitivity with power-scaling. *Statistics and Computing*, 34, 57.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from stanmix import latent
from stanmix.diagnostics import elements
from stanmix.errors import ConvergenceWarning, Problem, SpecError, did_you_mean, listing, warn
from stanmix.importance import FEWEST, efficiency, good_k, power_sensitivity, smoothed
from stanmix.prior_density import log_priors
from stanmix.questions.asking import Asked, Block, ask
from stanmix.questions.contrasts import derive
from stanmix.questions.invariants import sorted_probabilities
from stanmix.stacking import require_posterior

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

ALPHAS = (0.99, 1.01)
"""The powers to which the prior, or the likelihood, is raised."""

LIMIT = 0.05
"""Sensitivity from which a posterior counts as sensitive (Kallioinen et al. 2024)."""

MOMENTS: tuple[Literal["mean", "variance"], ...] = ("mean", "variance")
"""What is derived from all parameters."""

CONFLICT = "prior-data conflict"
STRONG = "strong prior / weak likelihood"
FINE = "-"


def sensitivity(fit: Fit, *, prior: str | Sequence[str] | None = None) -> pd.DataFrame:
    """How much each part of the posterior changes with the prior, and with the likelihood.

    Either is raised to a power close to 1, and draws are weighted by Pareto-smoothed importance
    sampling to stand for the posterior that this would give.

    Parameters
    ----------
    prior
        Parameters whose priors alone are scaled, by the names in `model.priors()`: "mu", or
        ["mu", "sigma"]. All if not given.

    Returns
    -------
    DataFrame
        A row for each quantity: first those that do not depend on labels (sorted weights or
        probabilities to stay; mean and variance of the response where `derive` has them), then the
        elements of the posterior as in `summary`, but for those that do not vary. `prior` and
        `likelihood` are sensitivities: the cumulative Jensen-Shannon distance by which the
        distribution of the quantity moves if the logarithm, to base 2, of the power changes by 1.
        `diagnosis` says "prior-data conflict" where both are 0.05 or more; "strong prior / weak
        likelihood" where only that to the prior is; and else "-".

    Raises
    ------
    SpecError
        There are fewer than 100 draws, or no such parameter.

    Warns
    -----
    ConvergenceWarning
        Weights are so uneven that these draws cannot stand for the other posterior.

    Notes
    -----
    The prior is the product of the densities that `model.priors()` lists, at the parameters
    themselves: without the Jacobian of the scale that is sampled. Groups are part of the model:
    given their spread and correlations, whose priors are scaled, the distribution of their effects
    is not. Of a horseshoe, the priors of the global scale and of the slab are scaled, not what they
    imply for slopes. The likelihood is that of all responses and known labels, with the states
    summed out. Where nothing orders the components, elements of the posterior are those of the
    labels that draws happen to have: ask again after `relabel`, or look at the first rows alone.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> priors = {"mu[2]": "normal(3, 0.3)"}
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, priors=priors, engine="stanli", seed=1)
    >>> f.sensitivity(prior="mu").loc["mu[2]", "diagnosis"]
    'prior-data conflict'
    """
    require_posterior(fit, "sensitivity()")
    named = _named(prior, [p.name for p in fit.model.spec.parameters])
    asked = ask(fit, draws=None)
    if asked.n_draws < FEWEST:
        raise SpecError(f"Sensitivity needs {FEWEST} draws or more, and the fit has fewer.")
    of_parameters = log_priors(fit.model.spec, asked.draws)
    parts = {
        "prior": np.sum([of_parameters[name] for name in named], axis=0),
        "likelihood": log_likelihoods(asked),
    }
    quantities, chains = _quantities(fit), asked.picked.sizes["chain"]
    found = {}
    for part, log_density in parts.items():
        weights = power_weights(log_density.reshape(chains, -1), part)
        found[part] = elements(quantities.map(_changes, weights=weights))
    table = pd.DataFrame(found).dropna()
    strong, told = table["prior"] >= LIMIT, table["likelihood"] >= LIMIT
    table["diagnosis"] = np.select([strong & told, strong], [CONFLICT, STRONG], FINE)
    return table


def _named(prior: str | Sequence[str] | None, known: list[str]) -> list[str]:
    """The parameters whose priors are scaled.

    Raises
    ------
    SpecError
        There is none of a name.
    """
    if prior is None:
        return known
    named = [prior] if isinstance(prior, str) or not isinstance(prior, Sequence) else list(prior)
    for name in named:
        if name not in known:
            raise SpecError(
                Problem(
                    f"There is no prior of {name!r}; there are those of {listing(known)}.",
                    hint=did_you_mean(str(name), known),
                )
            )
    if not named:
        raise SpecError(f"`prior` names no parameter; there are priors of {listing(known)}.")
    return list(dict.fromkeys(named))


def log_likelihoods(asked: Asked) -> Array:
    """Log density of all responses and known labels, whatever the states: (draw)."""
    return np.concatenate([_log_likelihood(block) for block in asked.blocks()])


def _log_likelihood(block: Block) -> Array:
    if block.asked.model.spec.kind == "hmm":
        return np.asarray(latent.log_likelihood(*block.chain).sum(axis=1))
    by_place = latent.mixture_log_density(block.log_omega, block.weights)
    return np.asarray(by_place @ block.asked.copies)


def _quantities(fit: Fit) -> xr.Dataset:
    """What may change, (chain, draw, ...) each: first what does not depend on labels."""
    posterior = fit.draws["posterior"].to_dataset()
    found = sorted_probabilities(posterior)
    for quantity in MOMENTS:
        try:
            found[quantity] = derive(fit, quantity)
        except SpecError:
            # The response has none, or one in every row.
            continue
    return xr.Dataset({**found, **posterior.data_vars})


def power_weights(log_density: Array, part: str) -> tuple[Array, Array]:
    """Weights of the draws at both powers of a part of the posterior density (chain, draw)."""
    share, found = float(efficiency(log_density[..., None])[0]), []
    for alpha in ALPHAS:
        log_weights, k = smoothed((alpha - 1) * log_density.ravel(), share)
        if k > good_k(log_density.size):
            warn(
                f"The sensitivity to the {part} is not to be trusted: at its power {alpha}, "
                f"importance weights have a Pareto k of {k:.2f}.",
                ConvergenceWarning,
            )
        found.append(np.exp(log_weights))
    return found[0], found[1]


def _changes(values: xr.DataArray, weights: tuple[Array, Array]) -> xr.DataArray:
    """The sensitivity of every element of a variable."""
    values = values.transpose("chain", "draw", ...)
    flat = values.values.reshape(len(weights[0]), -1)
    flat = np.where(np.isfinite(flat).all(axis=0), flat, 0.0)
    changes = power_sensitivity(flat, *weights, ALPHAS)
    return values.isel(chain=0, draw=0, drop=True).copy(data=changes.reshape(values.shape[2:]))
