"""Parameters that vary by row, as Stan text: a link that is linear in covariates.

A parameter keeps its own scale, bounds, order and prior: it is the value at the means of the
covariates. Their coefficients move its link from there.
"""

from __future__ import annotations

from stanmix.priors import format_number
from stanmix.spec import GroupEffect, Regression


def predictor(regression: Regression, at: str, spread_at: str = "") -> str:
    """What covariates, offset and groups add on the scale of the link.

    Parameters
    ----------
    regression
        The regression.
    at
        The index of its slopes, and of the effects of groups, where they are arrays: `[k]`.
    spread_at
        That of the spread of groups, where contrasts or moves have it in common.
    """
    name = regression.name
    parts = [f"X_{name} * slope_{name}{at}"] if regression.columns else []
    parts += [f"offset_{name}"] if regression.offset else []
    for effect in regression.groups:
        effects = f"r_{effect.name}{at}"
        if regression.link == "softmax":
            # Moves and contrasts have effects of their own, but a common spread.
            effects = group_effects(effect, spread_at, at)
        parts.append(f"by_group(Z_{effect.name}, group_{effect.name}, {effects})")
    return " + ".join(parts)


def group_effects(effect: GroupEffect, spread_at: str, effects_at: str) -> str:
    """The effects of groups, a row each: standard normal ones, scaled and correlated."""
    z = f"z_{effect.name}{effects_at}"
    if effect.has_correlations:
        return f"({effect_scale(effect, spread_at)} * {z})'"
    return f"diag_pre_multiply(sd_{effect.name}{spread_at}, {z})'"


def effect_scale(effect: GroupEffect, spread_at: str = "") -> str:
    """The matrix that gives standard normal effects their spread and correlations."""
    sd = f"sd_{effect.name}{spread_at}"
    if effect.has_correlations:
        return f"diag_pre_multiply({sd}, cor_{effect.name}_cholesky{spread_at})"
    return f"diag_matrix({sd})"


def by_row(regression: Regression, value: str, predicted: str) -> str:
    """The parameter in every row.

    Parameters
    ----------
    regression
        The regression.
    value
        The parameter at the covariates' means, of one component; empty without an intercept.
    predicted
        What `predictor` gives.
    """
    low, high = _bounds(regression)
    if regression.link == "identity":
        return f"{value} + {predicted}" if value else predicted
    if regression.link == "log":
        times = f"exp({predicted})"
        if value:
            times = f"{value} * {times}" if not low else f"({value} - {low}) * {times}"
        return times if not low else f"{low} + {times}"
    scaled = f"logit({_to_unit(value, low, high)}) + {predicted}" if value else predicted
    share = f"inv_logit({scaled})"
    if regression.bound is None:
        return _from_unit(share, low, high)
    bound = f"bound_{regression.name}"
    return f"{low} + ({bound} - {low}) .* {share}" if low else f"{bound} .* {share}"


def coefficients(regression: Regression, by_component: bool) -> str:
    """The coefficients on the scale of the user's covariates, the intercept first if any."""
    at = "[k]" if by_component else ""
    slopes = f"slope_{regression.name}{at}"
    if regression.parameter is None:
        return slopes
    value = regression.parameter
    value += at if regression.component is None else f"[{regression.component}]"
    if regression.link == "softmax":
        return f"softmax_coefficients({value}, X_{regression.name}_mean, {slopes})"
    function = "from_means" if regression.along is None else "each_from_means"
    low, high = _bounds(regression)
    if regression.link == "log":
        value = f"log({value} - {low})" if low else f"log({value})"
    elif regression.link == "logit":
        value = f"logit({_to_unit(value, low, high)})"
    if regression.offset:
        value += f" - offset_{regression.name}_mean"
    if not regression.columns:
        return f"[{value}]'"
    return f"{function}({value}, X_{regression.name}_mean, {slopes})"


def _bounds(regression: Regression) -> tuple[str, str]:
    """The bounds between which the link maps, as text; empty for a lower one of 0."""
    low = format_number(regression.lower) if regression.lower else ""
    high = regression.upper
    return low, high if isinstance(high, str) else format_number(1.0 if high is None else high)


def _to_unit(value: str, low: str, high: str) -> str:
    """`value` between two bounds as a share of the way between them."""
    above = f"({value} - {low})" if low else value
    return above if high == "1" and not low else f"{above} / {_range(low, high)}"


def _from_unit(share: str, low: str, high: str) -> str:
    if high == "1" and not low:
        return share
    scaled = f"{_range(low, high)} * {share}"
    return f"{low} + {scaled}" if low else scaled


def _range(low: str, high: str) -> str:
    return f"({high} - {low})" if low else high
