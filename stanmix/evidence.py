"""The marginal likelihood of a model, by bridge sampling.

References
----------
Fruehwirth-Schnatter, S. (2004). Estimating marginal likelihoods for mixture and Markov switching
models using bridge sampling techniques. *The Econometrics Journal*, 7, 143-167.

Gronau, Q. F., et al. (2017). A tutorial on bridge sampling. *Journal of Mathematical Psychology*,
81, 80-97.

Meng, X.-L., & Wong, W. H. (1996). Simulating ratios of normalizing constants via a simple identity:
a theoretical exploration. *Statistica Sinica*, 6, 831-860.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

from stanmix.diagnostics import agreeing
from stanmix.engines.base import Target
from stanmix.errors import ConvergenceWarning, SpecError, warn
from stanmix.importance import FEWEST, efficiency
from stanmix.permutations import interchangeable, told_apart
from stanmix.prior_mass import log_prior_mass
from stanmix.questions.asking import seed_of
from stanmix.stacking import require_posterior
from stanmix.unconstrained import target_of, unconstrained_draws

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

AMBIGUOUS = 0.01
"""Largest share of draws with more than one likely numbering of components that nothing orders."""

DRAWS_PER_PARAMETER = 10
"""Fewest draws, of which half give a normal distribution, for each dimension of it."""

ROUNDS = 1000
"""Most rounds of the iterative scheme."""

LARGE_ERROR = 0.5
"""Monte Carlo error of a log marginal likelihood beyond which one is warned."""


@dataclass(frozen=True)
class Evidence:
    """The marginal likelihood of a model.

    Parameters
    ----------
    log
        Its log: of the density of all responses, on the user's scale.
    mcse
        Its Monte Carlo error.
    label_constant
        What of it makes up for labels and orders: the log of how many times larger the space is
        than the part of it that was integrated over; log 3! for three ordered components.
    """

    log: float
    mcse: float
    label_constant: float

    def __sub__(self, other: Evidence) -> Evidence:
        """The log Bayes factor of this model against another, as `log`."""
        return Evidence(
            self.log - other.log,
            math.hypot(self.mcse, other.mcse),
            self.label_constant - other.label_constant,
        )


def evidence(fit: Fit, *, seed: int | None = None) -> Evidence:
    """The marginal likelihood, by bridge sampling from a normal distribution.

    Half of the draws, on the scale on which they were sampled, give the normal distribution; the
    other half and draws from it give the marginal likelihood. Orders and labels are made up for:
    it is that of the model whose prior has the mass 1. Of alike components it is therefore the
    same, ordered or not.

    Parameters
    ----------
    seed
        Seed of what is drawn; that of the fit if not given.

    Returns
    -------
    Evidence
        The log marginal likelihood, its Monte Carlo error, and what of it is due to labels.

    Raises
    ------
    SpecError
        A prior is flat; there are too few draws, or stacked ones; or nothing orders components that
        overlap, so that their draws cannot be told apart.

    Warns
    -----
    ConvergenceWarning
        The Monte Carlo error is above 0.5, or chains are in different modes.

    Notes
    -----
    It depends on the priors, also on those that the data hardly change, and is only as good as the
    draws: modes that no chain has found are not in it. `modes()` looks for them. Many draws are
    needed, more than for means.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> options = {"engine": "stanli", "seed": 1}
    >>> one = sm.fit("y ~ mix(normal, K=1)", {"y": y}, **options).evidence()
    >>> two = sm.fit("y ~ mix(normal, K=2)", {"y": y}, **options).evidence()
    >>> (two - one).log > 5
    True
    """
    require_posterior(fit, "evidence()")
    target = target_of(fit.model)
    sizes = fit.draws["posterior"].sizes
    needed = max(2 * FEWEST, DRAWS_PER_PARAMETER * target.size)
    if sizes["chain"] * sizes["draw"] < needed:
        raise SpecError(f"Bridge sampling needs {needed} draws or more of this model.")
    rng = np.random.default_rng(seed_of(fit, seed))
    mass, error = log_prior_mass(fit.model.spec, rng)
    numbered, images = _one_numbering(fit)
    log, mcse = bridge(target, unconstrained_draws(numbered, target), rng)
    found = Evidence(log + images - mass, math.hypot(mcse, error), images - mass)
    if len(agreeing(fit.invariants)) > 1:
        warn(
            "Chains are in different modes, in shares that say nothing of their masses: the "
            "marginal likelihood is not to be trusted. `modes()` says more.",
            ConvergenceWarning,
        )
    if not found.mcse <= LARGE_ERROR:
        warn(
            f"The Monte Carlo error of the log marginal likelihood is {found.mcse:.1f}: draw more.",
            ConvergenceWarning,
        )
    return found


def bridge(target: Target, points: Array, rng: np.random.Generator) -> tuple[float, float]:
    """Log of the integral of a density, and its Monte Carlo error.

    Parameters
    ----------
    target
        The density.
    points
        Draws from it, (chain, draw, parameter), unconstrained.
    rng
        What draws from the normal distribution.
    """
    half = points.shape[1] // 2
    first = points[:, :half].reshape(-1, points.shape[2])
    second = points[:, half:]
    covariance = np.atleast_2d(np.cov(first, rowvar=False))
    normal = stats.multivariate_normal(first.mean(axis=0), covariance, allow_singular=True)
    chains, draws = second.shape[:2]
    drawn = normal.rvs(chains * draws, random_state=rng).reshape(-1, target.size)
    flat = second.reshape(-1, target.size)
    at_draws = (target.log_density(flat) - normal.logpdf(flat)).reshape(chains, draws)
    at_drawn = target.log_density(drawn) - normal.logpdf(drawn)
    # Draws of a chain tell as much as fewer independent ones.
    independent = at_draws.size * float(efficiency(at_draws[..., None])[0])
    log_shares = np.log([independent, len(drawn)]) - math.log(independent + len(drawn))
    log = float(np.median(at_draws))
    for _ in range(ROUNDS):
        below = np.logaddexp(log_shares[0] + at_drawn, log_shares[1] + log)
        above = logsumexp(at_drawn - below) - math.log(len(drawn))
        under = np.logaddexp(log_shares[0] + at_draws, log_shares[1] + log)
        under = logsumexp(-under) - math.log(at_draws.size)
        before, log = log, float(above - under)
        if abs(log - before) < 1e-10:
            break
    return log, _error(at_draws - log, at_drawn - log, log_shares)


def _error(at_draws: Array, at_drawn: Array, log_shares: Array) -> float:
    """Monte Carlo error of the log (Fruehwirth-Schnatter 2004), from log ratios of densities."""
    f_drawn = np.exp(at_drawn - np.logaddexp(log_shares[0] + at_drawn, log_shares[1]))
    log_f_draws = -np.logaddexp(log_shares[0] + at_draws, log_shares[1])
    f_draws = np.exp(log_f_draws)
    share = float(efficiency(log_f_draws[..., None])[0])
    return math.sqrt(
        (f_drawn.std() / f_drawn.mean()) ** 2 / f_drawn.size
        + (f_draws.std() / f_draws.mean()) ** 2 / (f_draws.size * share)
    )


def _one_numbering(fit: Fit) -> tuple[Fit, float]:
    """The fit with one numbering of its components, and the log of how many there are."""
    spec = fit.model.spec
    if not spec.labels_may_switch or told_apart(spec):
        return fit, 0.0
    try:
        blocks = interchangeable(spec)
    except SpecError as error:
        raise SpecError(
            "How many numberings of the components there are, which nothing orders, is not known: "
            f"{error}"
        ) from None
    relabelled = fit.relabel()
    if relabelled.ambiguous > AMBIGUOUS:
        raise SpecError(
            f"{relabelled.ambiguous:.0%} of the draws fit another numbering of the components "
            "nearly as well, so that the marginal likelihood of one numbering is not known; order "
            "the components (`order=`)."
        )
    return relabelled.fit, float(sum(math.lgamma(n + 1) for n in np.bincount(blocks)))
