"""Importance sampling of a posterior from the draws of another tool, by exact densities.

References
----------
Vehtari, A., Simpson, D., Gelman, A., Yao, Y., & Gabry, J. (2024). Pareto smoothed importance
sampling. *Journal of Machine Learning Research*, 25(72), 1-58.

Yao, Y., Vehtari, A., Simpson, D., & Gelman, A. (2018). Yes, but did it work? Evaluating variational
inference. *International Conference on Machine Learning*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from stanmix.diagnostics import independent_draws
from stanmix.errors import DataError, SpecError, percent, require_count, require_one_of
from stanmix.fit import Fit
from stanmix.foreign import WHAT, Points, points_of, template
from stanmix.importance import FEWEST, good_k, smoothed
from stanmix.model import Model
from stanmix.named_draws import Source, read
from stanmix.questions.asking import flat
from stanmix.spec import ModelSpec
from stanmix.unconstrained import target_of

Array = NDArray[np.float64]

Mask = NDArray[np.bool_]

Scale = Literal["unconstrained", "constrained"]

Density = Callable[[Any], Any]
"""A log density of points (draw, number), or of parameters by name, as the scale is."""

FAR = np.log(1000.0)
"""By how much the log density of a posterior must be above another's to say that it is lacking."""


@dataclass(frozen=True, repr=False, eq=False)
class Corrected:
    """Draws of another tool, weighted to stand for the posterior.

    Parameters
    ----------
    log_weights
        Smoothed log weights, which sum to 1: (draw); -inf for draws that break a constraint.
    log_q
        Log density of the tool: (draw); 0 for draws that break a constraint.
    log_ratios
        Log density of the posterior, not normalised, less that of the tool: (draw).
    pareto_k
        How well weights can be trusted: not where it is above `good_k`.
    good_k
        The largest Pareto k that can be trusted.
    ess
        How many independent draws of the posterior they are worth.
    broken
        For each constraint that draws break, in words, the share that do.
    lacking
        The share of the reference's draws where the tool has less than a thousandth of the density
        that the posterior has; NaN if that cannot be known.
    draws
        The draws, (chain, draw, ...) each, as they were.
    scale
        What `log_q` is a density of.
    """

    log_weights: Array
    log_q: Array
    log_ratios: Array
    pareto_k: float
    good_k: float
    ess: float
    broken: Mapping[str, float]
    lacking: float
    draws: xr.Dataset
    scale: Scale

    @property
    def is_good(self) -> bool:
        """Whether the weights can be trusted, as far as these draws can tell."""
        return self.pareto_k <= self.good_k

    def resampled(self, draws: int | None = None, *, seed: int = 1) -> xr.Dataset:
        """Draws of the posterior: of these, with their weights.

        Parameters
        ----------
        draws
            How many; if not given, as many as they are worth.
        seed
            Seed of what is drawn.

        Returns
        -------
        Dataset
            As one chain, in the order of the draws, so that copies of one draw are next to each
            other: effective sample sizes then say what it is worth.

        Raises
        ------
        SpecError
            The weights are not to be trusted; `draws` is no whole number from 1 on; or `seed` is
            none.
        """
        if not self.is_good:
            raise SpecError(
                f"The Pareto k of the weights is {self.pareto_k:.2f}, above {self.good_k:.2f}: "
                "draws by such weights would not be of the posterior."
            )
        count = max(1, int(self.ess)) if draws is None else draws
        require_count("draws", count, 1)
        require_count("seed", seed, 0, 2**32 - 1)
        rng = np.random.default_rng(seed)
        # One uniform number for all: the least noise there can be.
        places = (rng.random() + np.arange(count)) / count
        weights = np.exp(self.log_weights)
        chosen = np.searchsorted(np.cumsum(weights) / weights.sum(), places)
        chosen = np.minimum(chosen, len(weights) - 1)
        found = {
            name: (["chain", "draw", *self.draws[name].dims[2:]], values[None, chosen])
            for name, values in flat(self.draws).items()
        }
        coords = {d: c for d, c in self.draws.coords.items() if d not in ("chain", "draw")}
        along = {"chain": [1], "draw": np.arange(count)}
        return xr.Dataset(found, coords={**coords, **along})

    def __repr__(self) -> str:
        trusted = "can be trusted" if self.is_good else "cannot be trusted"
        lines = [
            f"Pareto k {self.pareto_k:.2f}: the weights {trusted} (up to {self.good_k:.2f}); "
            f"{len(self.log_weights)} draws worth {self.ess:.0f}"
        ]
        lines += [
            f"{percent(share)} of the draws break: {text}" for text, share in self.broken.items()
        ]
        if self.lacking > 0:
            lines.append(
                f"At {percent(self.lacking)} of the reference's draws the tool has next to no "
                "density: it lacks a part of the posterior, of which its own draws know nothing."
            )
        return "\n".join(lines)


def psis(
    fit: Fit | Model, draws: Source, log_q: Any, *, scale: Scale = "unconstrained"
) -> Corrected:
    """Weigh draws of another tool by the exact density of the posterior.

    Parameters
    ----------
    fit
        A fit of the model, or the model alone.
    draws
        Draws of the tool, as `Model.with_draws` takes them.
    log_q
        Log density of the tool at its draws: (draw), or (chain, draw). Or a function that gives it,
        of points (draw, number) on the scale of `Model.transforms`, or of parameters (draw, ...) by
        name if `scale` is "constrained"; it is then asked for the draws of the fit as well, which
        tells of parts of the posterior that the tool lacks.
    scale
        What `log_q` is a density of: "unconstrained", points on the scale of `Model.transforms`;
        or "constrained", the parameters, less what follows from them (the last weight, half of a
        correlation matrix). The log Jacobian between them is taken into account.

    Returns
    -------
    Corrected
        Weights, their Pareto k and effective sample size; `resampled()` gives draws.

    Raises
    ------
    DataError
        Draws are none of the model; `log_q` has another number of values, or another shape; or it
        is NaN or infinite at draws, or the density of the posterior is.
    SpecError
        There is no such scale, or none of these parameters: angles and horseshoes are sampled as
        more numbers than they are; or there are fewer than 100 draws.

    Notes
    -----
    If draws were put in an order afterwards, the density of the ordered ones is the sum of the
    density of all orders, and that is what `log_q` must be.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import stats
    >>> import stanmix as sm
    >>> data, priors = {"y": [0.0, 1.0]}, {"mu": "normal(0, 1)"}
    >>> m = sm.model("y ~ mix(normal(sigma=1), K=1)", data, priors=priors)
    >>> q = stats.norm(1 / 3, 1)
    >>> mu = q.rvs((2000, 1), random_state=1)
    >>> found = sm.psis(m, {"mu": mu, "weights": np.ones((2000, 1))}, q.logpdf(mu[:, 0]))
    >>> found.is_good
    True
    """
    model = fit.model if isinstance(fit, Fit) else fit
    if not isinstance(model, Model):
        raise DataError(f"A fit or a model is needed, not {type(fit).__name__}.")
    require_density(model.spec, scale)
    given = read(draws, WHAT, like=template(model.spec))
    return weighed(model, given, points_of(model, given), log_q, scale, fit)


def weighed(
    model: Model,
    given: xr.Dataset,
    points: Points,
    log_q: Any,
    scale: Scale,
    fit: Fit | Model,
) -> Corrected:
    """Draws that have been read, weighted; see `psis`.

    Parameters
    ----------
    model
        The model.
    given, points
        The draws, and where they are without bounds.
    log_q, scale, fit
        As in `psis`.
    """
    good = points.good
    if len(good) < FEWEST:
        raise SpecError(f"Importance sampling needs {FEWEST} draws or more.")
    points.require_some()
    log_p = np.full(len(good), -np.inf)
    log_p[good] = _log_posterior(model, points.values[good], scale)
    if (np.isnan(log_p) | np.isposinf(log_p)).any():
        raise DataError("The density of the posterior is NaN or infinite at some draws.")
    parameters = given[list(template(model.spec))]
    theirs = _asked(log_q, parameters, points.values, good, scale)
    log_ratios = log_p - theirs
    if not np.isfinite(theirs).all():
        raise DataError("`log_q` is NaN or infinite at some draws.")
    has_density = np.isfinite(log_ratios)
    if has_density.sum() < FEWEST:
        raise DataError(
            f"{int(has_density.sum())} draws have a density, and importance sampling needs "
            f"{FEWEST} or more."
        )
    log_weights = np.full(len(good), -np.inf)
    # Of draws that hang together.
    efficiency = min(1.0, independent_draws(points.values[None, has_density]) / has_density.sum())
    log_weights[has_density], k = smoothed(log_ratios[has_density], efficiency)
    lacking = np.nan
    if isinstance(fit, Fit) and callable(log_q):
        log_scale = float(logsumexp(log_ratios) - np.log(len(good)))
        lacking = _lacking(fit, log_q, scale, log_scale)
    return Corrected(
        log_weights=log_weights,
        log_q=theirs,
        log_ratios=log_ratios,
        pareto_k=k,
        good_k=good_k(int(has_density.sum())),
        ess=efficiency * worth_of(log_weights),
        broken=points.broken,
        lacking=lacking,
        draws=given,
        scale=scale,
    )


def worth_of(log_weights: Array) -> float:
    """How many draws of equal weight weighted ones are worth; log weights sum to 1."""
    return float(np.exp(-logsumexp(2 * log_weights)))


def require_density(spec: ModelSpec, scale: Scale) -> None:
    """Raise SpecError if a density of parameters is none of points, or there is no such scale."""
    require_one_of("scale", scale, get_args(Scale))
    for parameter in spec.parameters:
        if parameter.shrinking is not None or parameter.constraint == "circular":
            raise SpecError(
                f"`{parameter.name}` is sampled as more numbers than it has, so that its density "
                "is not that of points."
            )
    others = [r.name for r in spec.regressions if r.groups or r.link == "softmax"]
    if others and scale == "constrained":
        raise SpecError(
            f"Effects on `{others[0]}` are sampled in other numbers than they are reported in: "
            'give densities of points, with `scale="unconstrained"`.'
        )


def _log_posterior(model: Model, points: Array, scale: Scale) -> Array:
    """Log density of the posterior, not normalised, at points."""
    log_density = target_of(model).log_density(points)
    if scale == "constrained":
        volume = model.transforms().log_jacobian(points)
        log_density = np.where(np.isneginf(log_density), -np.inf, log_density - volume)
    return np.asarray(log_density)


def _asked(log_q: Any, draws: xr.Dataset, points: Array, good: Mask, scale: Scale) -> Array:
    """The tool's log density at draws, where they have one."""
    found = np.zeros(len(points))
    if callable(log_q):
        at: Any = points[good]
        if scale == "constrained":
            at = {name: values[good] for name, values in flat(draws).items()}
        values = _numbers(log_q(at))
        if values.shape != (good.sum(),):
            raise DataError(
                f"`log_q` gives values of shape {values.shape} for {good.sum()} draws, and must "
                "give one for each."
            )
        found[good] = values
        return found
    if isinstance(log_q, xr.DataArray) and {"chain", "draw"} <= set(log_q.dims):
        log_q = log_q.transpose("chain", "draw", ...)
    values = _numbers(log_q)
    sizes = draws.sizes["chain"], draws.sizes["draw"]
    column = max(values.shape, default=1) == values.size
    if values.size == len(points) and values.shape != sizes and not column:
        raise DataError(
            f"`log_q` has the shape {values.shape}, and must have {sizes}: chains, draws."
        )
    values = values.ravel()
    if len(values) != len(points):
        raise DataError(f"`log_q` has {len(values)} values, and there are {len(points)} draws.")
    found[good] = values[good]
    return found


def _numbers(log_q: Any) -> Array:
    """Log densities as numbers."""
    if not np.iscomplexobj(log_q):
        with suppress(TypeError, ValueError):
            return np.asarray(log_q, dtype=np.float64)
    raise DataError("`log_q` must be numbers, or a function that gives some.")


def _lacking(fit: Fit, log_q: Density, scale: Scale, log_scale: float) -> float:
    """The share of a fit's draws where the tool has next to none of the posterior's density."""
    posterior = fit.draws["posterior"].to_dataset()[list(template(fit.model.spec))]
    points = points_of(fit.model, posterior).values
    everything = np.ones(len(points), dtype=bool)
    theirs = _asked(log_q, posterior, points, everything, scale)
    if np.isnan(theirs).any():
        raise DataError("`log_q` is NaN at some draws of the fit.")
    ratios = _log_posterior(fit.model, points, scale) - theirs - log_scale
    return float((ratios > FAR).mean())
