"""Parameters that vary by row, as Stan text: a link that is linear in covariates.

A parameter keeps its own scale, bounds, order and prior: it is the value at the means of the
covariates. Their coefficients move its link from there.
"""

from __future__ import annotations

from stanmix.priors import format_number
from stanmix.spec import Regression


def by_row(regression: Regression, value: str, slopes: str) -> str:
    """The parameter in every row.

    Parameters
    ----------
    regression
        The regression.
    value, slopes
        The parameter at the covariates' means (empty without an intercept), and the slopes, of one
        component.
    """
    parts = [f"X_{regression.name} * {slopes}"] if regression.columns else []
    parts += [f"offset_{regression.name}"] if regression.offset else []
    predictor = " + ".join(parts)
    low, high = _bounds(regression)
    if regression.link == "identity":
        return f"{value} + {predictor}" if value else predictor
    if regression.link == "log":
        times = f"exp({predictor})"
        if value:
            times = f"{value} * {times}" if not low else f"({value} - {low}) * {times}"
        return times if not low else f"{low} + {times}"
    scaled = f"logit({_to_unit(value, low, high)}) + {predictor}" if value else predictor
    return _from_unit(f"inv_logit({scaled})", low, high)


def coefficients(regression: Regression, by_component: bool) -> str:
    """The coefficients on the scale of the user's covariates, the intercept first if any."""
    at = "[k]" if by_component else ""
    slopes = f"slope_{regression.name}{at}"
    if regression.parameter is None:
        return slopes
    value = regression.parameter
    value += at if regression.component is None else f"[{regression.component}]"
    low, high = _bounds(regression)
    if regression.link == "log":
        value = f"log({value} - {low})" if low else f"log({value})"
    elif regression.link == "logit":
        value = f"logit({_to_unit(value, low, high)})"
    if regression.offset:
        value += f" - offset_{regression.name}_mean"
    return f"from_means({value}, X_{regression.name}_mean, {slopes})"


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
