"""Pictures, one function a question; each returns a plotnine ggplot."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import plotnine as p9

from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.plots import overlays
from stanmix.plots.covariates import effects
from stanmix.plots.criteria import pareto_k, sweep
from stanmix.plots.densities import components
from stanmix.plots.differences import ecdf
from stanmix.plots.matrix import pairs
from stanmix.plots.memberships import membership
from stanmix.plots.moves import transition, transition_graph
from stanmix.plots.priors import prior
from stanmix.plots.quantiles import autocorrelation, residuals
from stanmix.plots.replicates import check, predictive
from stanmix.plots.sampling import ranks, trace
from stanmix.plots.sequences import states

__all__ = ["PICTURES", "PICTURES_OF_TWO", "pareto_k", "picture", "sweep"]

PICTURES: Mapping[str, Callable[..., p9.ggplot]] = {
    "components": components,
    "pairs": pairs,
    "membership": membership,
    "states": states,
    "transition": transition,
    "transition_graph": transition_graph,
    "trace": trace,
    "ranks": ranks,
    "prior": prior,
    "effects": effects,
    "check": check,
    "predictive": predictive,
    "residuals": residuals,
    "autocorrelation": autocorrelation,
}
"""The pictures of a fit, by name."""

PICTURES_OF_TWO: Mapping[str, Callable[..., p9.ggplot]] = {
    "ecdf": ecdf,
    "pairs": overlays.pairs,
}
"""The pictures of two sets of draws, by name."""


def picture(
    pictures: Mapping[str, Callable[..., p9.ggplot]], of: Any, name: str, /, **options: Any
) -> p9.ggplot:
    """A picture by its name.

    Parameters
    ----------
    pictures
        Those that there are.
    of
        What they are of: a fit, or two sets of draws.
    name
        One of them.
    **options
        What that picture takes besides.

    Returns
    -------
    ggplot
        A picture to show, to change or to save.

    Raises
    ------
    SpecError
        There is no such picture, or it has no such option; or as the picture says.
    """
    if not isinstance(name, str) or name not in pictures:
        raise SpecError(_unknown(f"There is no picture {name!r}", str(name), list(pictures)))
    drawn = pictures[name]
    parameters = inspect.signature(drawn).parameters
    known = list(parameters)[1:]
    for option in options:
        if option not in known:
            message = f"The picture {name!r} has no option `{option}`"
            raise SpecError(_unknown(message, option, known))
    for option in known:
        if parameters[option].default is inspect.Parameter.empty and option not in options:
            raise SpecError(f"The picture {name!r} needs `{option}`.")
    return drawn(of, **options)


def _unknown(message: str, word: str, known: list[str]) -> Problem:
    there = (
        f"; there {'is' if len(known) == 1 else 'are'} {listing(known, most=20)}." if known else "."
    )
    return Problem(f"{message}{there}", hint=did_you_mean(word, known))
