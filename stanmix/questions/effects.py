"""How a parameter, or the response, changes with one covariate while others stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.errors import Problem, SpecError, did_you_mean, listing
from stanmix.held import held, require_covariate, rows_at, without_groups
from stanmix.moments import Moments
from stanmix.questions.asking import THIN, ask
from stanmix.spec import ModelSpec, Regression, Use

if TYPE_CHECKING:
    from stanmix.fit import Fit

Array = NDArray[np.float64]

RESPONSE = "response"
"""What is asked for besides parameters: the mean of the response."""


def effects(
    fit: Fit,
    covariate: str,
    *,
    of: str | None = None,
    at: Mapping[str, Any] | None = None,
    values: Any = None,
    draws: int | None = THIN,
) -> pd.DataFrame:
    """A parameter, or the mean of the response, at values of one covariate.

    The others stay where they are: numbers at their mean over the rows of the fit, levels at the
    first, which is the baseline; so does the number of trials, at its mean as a whole number.
    Groups are left out: effects are those where effects of groups are 0.

    Parameters
    ----------
    covariate
        The column.
    of
        A parameter that varies with it: `mu`, `mu_2`, `weights`, `transition`, `initial`, .. as the
        formula or the posterior name it; it is given on its own scale, not on that of its link. Or
        "response": the mean of the response (of the columns that have one), averaged over
        components with `weights`, or over states as often as they are visited in the long run if
        the covariates stay. Without: the response, where it has a mean that depends on the
        covariate, else the one parameter that does.
    at
        Values of other covariates by column, in the place of those above.
    values
        Values of the covariate; 50 over the range of the data of the fit if not given, or all
        levels.
    draws
        As in `responsibility`.

    Returns
    -------
    DataFrame
        A row for each value and each element of the quantity: `value`; `state`, `state_to`,
        `column`, .. where the quantity has them; and of the draws `mean`, `q2.5`, `median`,
        `q97.5`. `attrs` holds `covariate`, `of`, and in `at` where the others were.

    Raises
    ------
    SpecError
        The model has no such covariate or parameter, or the one does not depend on the other; the
        response has no mean, or states no long run.
    DataError
        A value is none that the covariate can have.

    Examples
    --------
    >>> import stanmix as sm
    >>> data = {"y": [0, 1, 0, 9, 8, 14, 1, 2], "x": [1, 2, 3, 1, 2, 3, 4, 5]}
    >>> f = sm.fit("y ~ mix(poisson, K=2); rate ~ x", data, engine="stanli", chains=2, seed=1)
    >>> table = f.effects("x", of="rate", values=[1, 3])
    >>> table[["value", "state"]].values.tolist()
    [[1.0, 1.0], [1.0, 2.0], [3.0, 1.0], [3.0, 2.0]]
    >>> float(table["mean"].iloc[1]) > float(table["mean"].iloc[0])
    True
    """
    spec = fit.model.spec
    asked = require_covariate(spec, covariate)
    shown = asked.spread(fit.model.table) if values is None else asked.given(values)
    others = held(spec, fit.model.table, at)
    if at is not None and covariate in at:
        raise SpecError(f"`at` holds other covariates; give values of `{covariate}` as `values`.")
    del others[covariate]
    alone, at_draws = without_groups(spec), ask(fit, draws=draws).draw_by_draw

    def moments_at(chosen: list[Any]) -> Moments:
        table = rows_at({**others, covariate: chosen}, len(chosen))
        return Moments(alone, table, fit.model.encoded, at_draws)

    moments = moments_at(shown)
    # What is answered does not depend on which values are asked for.
    as_usual = of is not None or values is None
    usual = moments if as_usual else moments_at(asked.spread(fit.model.table))
    name = _quantity(usual, covariate, of)
    if name == RESPONSE:
        found = _response(moments)
    elif name in LATENT:
        found = _latent(moments, name)
    else:
        found = _parameter(moments, name)
    made = _summary(found, shown)
    made.attrs = {"covariate": covariate, "of": name, "at": others}
    return made


LATENT = {"weights": ("state",), "initial": ("state",), "transition": ("state", "state_to")}
"""Latent probabilities, and their dimensions."""

Labelled = tuple[Array, dict[str, list[Any]]]
"""Values (draw, row, ..), and the labels of the dimensions after these."""


def _quantity(moments: Moments, covariate: str, of: str | None) -> str:
    """What is asked for, if it depends on the covariate.

    Raises
    ------
    SpecError
        There is no such quantity, or it does not depend on the covariate; or there are several.
    """
    spec = moments.spec
    moving = [r for r in spec.regressions if covariate in _covariates(r)]
    lacks = moments.lacks("mean")
    counted = any(covariate in r.columns for r in spec.responses if r.addition == "trials")
    answers = counted or any(r.name != "initial" for r in moving)
    names = [r.name for r in moving]
    # `mu` is there where `mu[2] ~ x` alone varies.
    names += [r.name.removesuffix(f"_{r.component}") for r in moving if r.component is not None]
    names = list(dict.fromkeys(names))
    if of is None:
        if answers and lacks is None and (counted or _moves_the_mean(moments)):
            return RESPONSE
        if len(moving) == 1:
            return moving[0].name
        why = lacks or f"The response does not depend on `{covariate}`."
        raise SpecError(
            Problem(why, hint=f"`of` may be one of {listing(names)}" if names else None)
        )
    if of == RESPONSE:
        if lacks is not None:
            raise SpecError(lacks)
        if not answers:
            raise SpecError(
                f"The response does not depend on `{covariate}` in the long run, but the first "
                "states do: ask for `initial`."
            )
        return of
    # As a line of the formula names it: `nu ~ x`, where only the second component has `nu`.
    own = [name for name in names if of == name or of in _declared(spec, name)]
    if len(own) == 1 or of in own:
        return of if of in own else own[0]
    varying = [r.name for r in spec.regressions]
    known = [*names, *([RESPONSE] if answers and lacks is None else [])]
    depends = f"what depends on `{covariate}` is {listing(known)}"
    if of in varying or of in [p.name for p in spec.parameters]:
        raise SpecError(f"`{of}` does not depend on `{covariate}`; {depends}.")
    raise SpecError(
        Problem(
            f"There is no {of!r} that varies; {depends}.",
            hint=did_you_mean(str(of), known),
        )
    )


def _moves_the_mean(moments: Moments) -> bool:
    """Whether the mean of the response differs between values, by more than rounding."""
    mean = moments.mean()
    mean = np.where(np.isfinite(mean), mean, 0.0)
    return bool((np.ptp(mean, axis=1) > 1e-9 * np.abs(mean).max(axis=1)).any())


def _declared(spec: ModelSpec, name: str) -> set[str]:
    """What families call a parameter that varies."""
    return {
        param.name
        for k in range(spec.K)
        for term in spec.component(k)
        for param, argument in zip(term.declaration.params, term.arguments, strict=True)
        if isinstance(argument, Use) and name in (argument.parameter, argument.regression)
    }


def _covariates(regression: Regression) -> set[str]:
    """The columns that a parameter varies with."""
    found = {c.column for design in regression.designs for c in design.covariates}
    return found | ({regression.bound.group.column} if regression.bound is not None else set())


def _response(moments: Moments) -> Labelled:
    """The mean of the response, of every column if there are several."""
    mean, columns = moments.mean(), moments.columns("mean")
    return (mean, {"column": columns}) if len(columns) > 1 else (mean[..., 0], {})


def _latent(moments: Moments, name: str) -> Labelled:
    """Latent probabilities."""
    labels = moments.spec.labels
    return moments.probabilities(name), {dim: labels[dim] for dim in LATENT[name]}


def _parameter(moments: Moments, name: str) -> Labelled:
    """A parameter of families: in each component that has it, or once where it is shared."""
    spec = moments.spec
    uses = {k: use for k in range(spec.K) for use in _uses(spec, k, name)}
    by_state = any(use.by_state for use in uses.values())
    if not by_state:
        uses = dict(list(uses.items())[:1])
    regressions = [spec.regression(use.regression) for use in uses.values() if use.regression]
    along = regressions[0].along
    labels: dict[str, list[Any]] = {"state": [k + 1 for k in uses]} if by_state else {}
    labels |= {along: spec.labels[along]} if along else {}
    values = np.stack([moments.parameter(use, k, along) for k, use in uses.items()], axis=2)
    return (values if by_state else values[:, :, 0]), labels


def _uses(spec: ModelSpec, k: int, name: str) -> Iterator[Use]:
    """What component `k` has of a parameter."""
    for term in spec.component(k):
        for argument in term.arguments:
            if isinstance(argument, Use) and (
                name in (argument.parameter, argument.regression)
                or argument.regression == f"{name}_{k + 1}"
            ):
                yield argument


def _summary(found: Labelled, shown: list[Any]) -> pd.DataFrame:
    """A row for each value and element."""
    values, labels = found
    index = pd.MultiIndex.from_product([shown, *labels.values()], names=["value", *labels])
    flat = values.reshape(len(values), -1)
    with np.errstate(invalid="ignore"):
        low, middle, high = np.quantile(flat, [0.025, 0.5, 0.975], axis=0)
        columns = {"mean": flat.mean(axis=0), "q2.5": low, "median": middle, "q97.5": high}
    return pd.DataFrame(columns, index=index).reset_index()
