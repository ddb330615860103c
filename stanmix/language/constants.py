"""Constants that a model takes from the data: centres and scales of default priors, and bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stanmix.data import Table, numbers, statistic
from stanmix.errors import DataError, Problem
from stanmix.families import Kind
from stanmix.limits import RIGHT, read_limits
from stanmix.spec import Constant, Fixed, ModelSpec, Response

_COMMENTS = {
    "center": "median",
    "scale": "standard deviation",
    "mean": "mean",
    "log_center": "median of the logarithm",
    "log_scale": "standard deviation of the logarithm",
    "minimum": "smallest value",
    "maximum": "largest value",
}
_POSITIVE = ("scale", "mean", "log_scale")


@dataclass
class Constants:
    """Statistics of responses, made as they are asked for.

    A column that does not vary has no scale. That matters only if a prior needs it, which is known
    when all priors are: until then such a statistic counts as 1 and is remembered as unusable.
    """

    table: Table
    responses: Sequence[Response] = ()
    freq: NDArray[np.int64] | None = None
    made: dict[str, Constant] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)

    def of(self, response: Response, name: str, kind: Kind) -> Constant:
        """The statistic `name` of a response: of each column where it has several.

        `kind` is what the family can observe: the statistics of a positive family are those of
        the positive rows, where the others belong to another component.
        """
        part = kind == "positive" and response.kind != kind
        own = f"{response.name}_positive_{name}" if part else f"{response.name}_{name}"
        if own not in self.made:
            values = tuple(self._value(own, column, name, part) for column in response.columns)
            rows = "the positive rows of " if part else ""
            comment = f"{_COMMENTS[name]} of {rows}{', '.join(response.columns)}"
            many = response.many
            value = values if many else values[0]
            self.made[own] = Constant(own, value, comment, ("column",) if many else ())
        return self.made[own]

    def add(self, constant: Constant, needs: str) -> Constant:
        """Take in a constant that was worked out with those that the text `needs` names."""
        for name in re.findall(r"\w+", needs):
            if name in self.unusable:
                self.unusable[constant.name] = self.unusable[name]
        self.made[constant.name] = constant
        return constant

    def _value(self, own: str, column: str, name: str, part: bool) -> float:
        if name == "minimum":
            values = self.latest(column)
        else:
            values = numbers(self.table, column, missing=True)
        seen = ~np.isnan(values)
        values = values[seen] if self.freq is None else np.repeat(values[seen], self.freq[seen])
        values = values[values > 0] if part else values
        value = statistic(values, name) if values.size else 0.0
        reason = ""
        if not values.size:
            reason = "has no positive values, which one of its families needs"
        elif not math.isfinite(value):
            reason = "has values too large to be squared"
        elif value <= 0 and name in _POSITIVE:
            reason = "holds only zeros" if name == "mean" else "does not vary"
        if reason:
            self.unusable[own] = f"Column `{column}` {reason}"
            return 1.0
        return value

    def latest(self, column: str) -> NDArray[np.float64]:
        """The most that every response of a column can be, NaN where there is none.

        The largest of all stands for those that may be anything above theirs.
        """
        censored = [r for r in self.responses if column in r.columns and r.censored is not None]
        if not censored:
            return numbers(self.table, column, missing=True)
        limits = read_limits(censored[0], self.table)
        return np.where(limits.how == RIGHT, np.nanmax(limits.ends), limits.ends)

    def used_by(self, spec: ModelSpec) -> tuple[Constant, ...]:
        """The constants that the priors, bounds or fixed values of `spec` name.

        Raises
        ------
        DataError
            A default prior needs the scale of a column that has none.
        """
        names = _named(spec)
        bad = dict.fromkeys(self.unusable[n] for n in self.made if n in names & set(self.unusable))
        if bad:
            hint = "give priors for the parameters of its family, or drop the column"
            so = "so no default prior can be scaled from it."
            raise DataError(*(Problem(f"{reason}, {so}", hint=hint) for reason in bad))
        return tuple(constant for name, constant in self.made.items() if name in names)


def _named(spec: ModelSpec) -> set[str]:
    """Every word in the arguments of priors, and in bounds and fixed values."""
    texts = [
        argument.text
        for parameter in spec.parameters
        for entry in parameter.priors
        for argument in entry.prior.arguments
    ]
    texts += [parameter.below for parameter in spec.parameters if parameter.below]
    texts += [a.constant for a in spec.arguments if isinstance(a, Fixed)]
    return set(re.findall(r"\w+", " ".join(texts)))


def statistics_in(template: str) -> Mapping[str, None]:
    """The statistics that a default prior names in braces, in order.

    Examples
    --------
    >>> list(statistics_in("normal({center}, 2.5 * {scale})"))
    ['center', 'scale']
    """
    return dict.fromkeys(re.findall(r"\{(\w+)\}", template))
