"""The pipeline, composed: a formula and data in, a posterior out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stanmix.engines.base import Engine, Variables
from stanmix.errors import SpecError, listing
from stanmix.families import Family
from stanmix.fit import Fit
from stanmix.language.syntax import parse
from stanmix.made_up import with_responses
from stanmix.model import build, model
from stanmix.own_families import with_own
from stanmix.simulation import Simulated
from stanmix.spec import Fixed


def fit(
    formula: str,
    data: Any,
    *,
    priors: Mapping[str, str] | None = None,
    families: Sequence[Family] = (),
    engine: str | Engine = "auto",
    chains: int = 4,
    warmup: int = 1000,
    draws: int = 1000,
    seed: int | None = None,
    inits: str | Sequence[Variables] = "auto",
    adapt_delta: float = 0.9,
    **sampler: Any,
) -> Fit:
    """Draw from the posterior of the model that a formula describes.

    Parameters
    ----------
    formula
        A model line such as `y ~ mix(normal, K=3)` or `y ~ hmm(poisson, states=2)`.
    data
        A data frame (pandas, polars) or a mapping of arrays; a two-dimensional array stands for its
        columns.
    priors
        Prior text by parameter (`{"mu": "normal(0, 5)"}`); the others keep their defaults, which
        `stanmix.model(formula, data).priors()` shows.
    families
        Families of your own that the formula may name; see `stanmix.Family`.
    engine
        `cmdstan` (installed, or built now from the wheel of `stanmix[toolchain]`), `stanli`, or
        `auto`: `cmdstan` where a CmdStan is installed, else `stanli`.
    chains, warmup, draws
        Number of chains, and iterations of each before and after adaptation ends.
    seed
        Seed of everything random; another one at every call if not given.
    inits
        `auto` for starting points from the data, or values of all parameters, by the names and in
        the shapes they have in the posterior, one mapping a chain.
    adapt_delta
        Target acceptance rate.
    **sampler
        `max_treedepth`, `metric`, `thin`, `parallel_chains`: see
        `stanmix.engines.base.SamplerSettings`.

    Returns
    -------
    Fit
        The draws, and the questions one may ask of them.

    Raises
    ------
    FormulaError, SpecError
        The formula, the priors or an option make no sense.
    DataError
        The data do not fit the model.
    EngineError
        There is no such engine, or it refused the program.
    SamplingError
        A chain failed.

    Warns
    -----
    IdentifiabilityWarning
        The posterior may be improper, or not identify all parameters.
    ConvergenceWarning
        Chains disagree, or draws diverged; `Fit.diagnose` says more.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
    >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> f.membership().round().loc[0].tolist()
    [1.0, 0.0]
    """
    return model(formula, data, priors=priors, families=families).fit(
        engine=engine,
        chains=chains,
        warmup=warmup,
        draws=draws,
        seed=seed,
        inits=inits,
        adapt_delta=adapt_delta,
        **sampler,
    )


def simulate(
    formula: str,
    data: Any,
    parameters: Mapping[str, Any] | None = None,
    *,
    priors: Mapping[str, str] | None = None,
    families: Sequence[Family] = (),
    seed: int | None = None,
) -> Simulated:
    """Simulate data from the model that a formula describes, with the true states.

    Parameters
    ----------
    formula
        A model line such as `y ~ mix(normal, K=3)`, and lines for parameters.
    data
        Covariates, units, series and times of the rows to simulate, as for `stanmix.fit`; or, where
        there are none, the number of rows. Responses may be there and are replaced; default priors
        are scaled from them. Of choices, and of categories, that are not there, there are two.
    parameters
        Values by the names of the posterior: see `stanmix.Model.simulate`. Drawn from the prior if
        not given, which needs responses in `data` or `priors` of all that these scale.
    priors, families
        As for `stanmix.fit`.
    seed
        Seed of everything random; another one at every call if not given.

    Returns
    -------
    Simulated
        `data`, a data frame; the true `states` of its rows; and the `parameters`.

    Raises
    ------
    FormulaError, SpecError, DataError
        As of `stanmix.model`, and of `Model.simulate`.

    Examples
    --------
    >>> import stanmix as sm
    >>> at = {"rate": [2.0, 9.0], "initial": [1, 0], "transition": [[0.9, 0.1], [0.2, 0.8]]}
    >>> drawn = sm.simulate("y ~ hmm(poisson, states=2)", 100, at, seed=1)
    >>> drawn.data.shape, sorted(set(drawn.states))
    ((100, 1), [1, 2])
    """
    template, made_up = with_responses(parse(formula), data, with_own(families))
    described = build(formula, template, priors, families)
    if made_up and parameters is None and described.spec.constants:
        raise SpecError(
            f"The data have no {listing(made_up)} to scale default priors by: give `parameters`, "
            "or `priors` of all of them."
        )
    if made_up and any(isinstance(r.upper, str) for r in described.spec.regressions):
        raise SpecError(
            f"The data have no {listing(made_up)}, whose smallest value bounds a parameter that "
            "varies."
        )
    if made_up and any(isinstance(a, Fixed) and a.constant for a in described.spec.arguments):
        raise SpecError(
            f"The data have no {listing(made_up)}, from which parameters of a family would be "
            "taken: fix them at numbers."
        )
    return described.simulate(parameters, seed=seed)
