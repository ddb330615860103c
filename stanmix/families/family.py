"""What a family is: a distribution of a response given the state, declared in one place.

A family is one declaration here in `stanmix.families` and one file of Stan functions in
`stan/families`. It knows nothing of mixtures or chains: it gives `log_omega`, the log density of
rows in one state, and never sees which state that is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Kind = Literal[
    "real", "positive", "unit", "angle", "count", "binary", "category", "choice", "simplex"
]
"""What values a response column may hold; `stanmix.data` checks them."""

Axis = Literal["column", "column_to", "accumulator", "category", "cut"]
"""Axes of a parameter within one state.

They are response columns, accumulators of a race, categories, and the places between these.
"""

STAN_COLUMN = {
    "real": "vector",
    "positive": "vector",
    "unit": "vector",
    "angle": "vector",
    "count": "array[] int",
    "binary": "array[] int",
    "category": "array[] int",
    "choice": "array[] int",
    "simplex": "vector",
}


@dataclass(frozen=True)
class Column:
    """A column of the response, as a family sees it.

    Parameters
    ----------
    kind
        What the values may be. A `choice` column holds codes 1 to A, and brings a second argument,
        the number of choices `A`; so does a `category` column with its number `C`. The columns of a
        `simplex` sum to 1.
    name
        Its argument name in the Stan functions.
    addition
        The addition that names it in a formula (`dec`, `trials`); None for the left side itself.
    optional
        Whether the family also works without it; its Stan file then has both overloads.
    many
        Whether it stands for several columns at once, passed as a matrix with one row a column and
        one column an observation.
    ordered
        Whether its categories must have an order.
    choices
        Of a `choice` column, how many choices there must be; any number where None.
    """

    kind: Kind
    name: str = "y"
    addition: str | None = None
    optional: bool = False
    many: bool = False
    ordered: bool = False
    choices: int | None = None

    @property
    def partial(self) -> bool:
        """Whether rows may lack some of its columns and have others; of shares, none may."""
        return self.many and self.kind != "simplex"

    def arguments(self) -> tuple[tuple[str, str], ...]:
        """The Stan arguments it brings, as (type, name) pairs."""
        if self.many:
            return (("matrix", self.name),)
        own = (STAN_COLUMN[self.kind], self.name)
        counted = {"choice": "A", "category": "C"}.get(self.kind)
        return (own, ("int", counted)) if counted else (own,)


@dataclass(frozen=True)
class Collapse:
    """How the density grows without bound at a response as a parameter nears an end of its range.

    Parameters
    ----------
    at
        That end.
    gain
        The density of the response grows as this power of the parameter (`infinity`), or of its
        inverse (`zero`), for each column.
    location
        The parameter that must lie at the response for that.
    """

    at: Literal["zero", "infinity"]
    gain: float
    location: str


@dataclass(frozen=True)
class Param:
    """A parameter of a family.

    Parameters
    ----------
    name
        The field's standard name, and its argument name in the Stan functions.
    prior
        Default prior: a call of the prior language that may use the names in braces that
        `stanmix.data` computes from the response (`{center}`, `{scale}`, `{log_center}`, ...).
    default
        What it is fixed at where a formula does not fix it: a number, or the name of a statistic of
        the response (`minimum`). It is never estimated then; but a line may move one from 0.
    above
        Name of a parameter that it must exceed, where both are fixed.
    link
        Scale on which a regression of this parameter is linear.
    lower, upper
        Bounds of its own, at which priors are truncated and normalised.
    closed
        Whether the density exists at its bounds too, so that it may be fixed there.
    below
        Name of a statistic of the response that it must stay below wherever every row needs it
        (`minimum` for a non-decision time). Such a bound restricts the region and normalises no
        prior.
    axes
        Its axes within one state; none for a number.
    orders
        Whether it is the family's location, which orders the components by default.
    correlation
        Whether it is a correlation matrix, passed to Stan as its Cholesky factor.
    simplex
        Whether it holds probabilities, which sum to 1. Where these vary by row, the Stan functions
        take their logarithms, a vector of all rows for each.
    increasing
        Whether it is a vector whose elements increase.
    circular
        Whether it is an angle, which no bounds cut and no order sorts.
    shared
        Whether all components have it in common unless told otherwise.
    by_row
        Whether it may vary by row where it has axes: the Stan functions then also hold where it is
        a matrix with a column for each row, or have overloads for that. Numbers always may.
    collapse
        How a component can shrink onto equal rows by it, if it can.
    """

    name: str
    prior: str = "flat"
    default: float | str | None = None
    above: str | None = None
    link: Literal["identity", "log", "logit"] = "identity"
    lower: float | None = None
    upper: float | None = None
    closed: bool = False
    below: str | None = None
    axes: tuple[Axis, ...] = ()
    orders: bool = False
    correlation: bool = False
    simplex: bool = False
    increasing: bool = False
    circular: bool = False
    shared: bool = False
    by_row: bool = False
    collapse: Collapse | None = None

    @property
    def varies(self) -> bool:
        """Whether it may vary by row; of what is fixed by default, only a 0 that has no link."""
        movable = self.default is None or (self.default == 0 and self.link == "identity")
        return movable and (not self.axes or self.by_row)

    @property
    def stan_type(self) -> str:
        """The type of its argument in the Stan functions, as they stand in the file.

        The program makes a number that varies by row a vector, and a vector a matrix.
        """
        if self.correlation:
            return "matrix"
        return "vector" if self.axes else "real"

    def argument(self, *, by_row: bool = False) -> tuple[str, str]:
        """Its argument in the Stan functions, type and name, as it stands in the file."""
        if self.simplex and by_row:
            return "array[] vector", f"log_{self.name}"
        return self.stan_type, self.name


@dataclass(frozen=True)
class Family:
    """A distribution of the response given the state.

    Parameters
    ----------
    name
        Its name in formulas.
    response
        Columns, in the order of the Stan arguments.
    params
        Parameters, in the order of the Stan arguments.
    reference
        Takes the parameters by name and returns an object with `logpdf` or `logpmf` (of the
        response columns, in order), `logcdf` where there is one, and `rvs(size, random_state)`,
        laid out as in Stan: the simulator, and the oracle in tests. What draws need of the
        response is given to `rvs` by name (`trials`, the number of choices `A`), and to `mean` and
        `var`, where it has them: the mean and variance of the first response, of several columns
        by (column, row), without which questions about these are refused.
    start
        Takes the response columns of the rows of one presumed state, in order, and by name the
        number of choices (`A`) or categories (`C`) where there are any. Returns rough values of the
        parameters by name, from which chains start; they respect the bounds that a parameter has of
        its own.
        Where it is not given, all parameters must be numbers, and the reference is fitted roughly.
    score
        Takes the first response and the parameters by name, and returns the derivative of the log
        density by that response, inside the support; of several columns by (column, row). Without
        it, a mixture of the family at given parameters has no score (`stanmix.distributions`).
    stan
        Prefix of its Stan functions; its name unless given.
    cumulative
        Whether it has a distribution function: the Stan functions `log_cumulative` and
        `log_survival`, and `logcdf` and `logsf` of the reference. Censored and truncated responses
        need it.
    cov
        For several columns at once, the covariance form in formulas.
    stan_code
        Its Stan functions, of a family that is not one of stanmix.

    Examples
    --------
    >>> from scipy import stats
    >>> rayleigh = Family(
    ...     "rayleigh",
    ...     response=(Column("positive"),),
    ...     params=(Param("scale", link="log", lower=0, prior="lognormal({log_center}, 1)"),),
    ...     reference=lambda scale: stats.rayleigh(scale=scale),
    ... )
    >>> rayleigh.signature()
    'vector rayleigh_log_omega(vector y, real scale)'
    """

    name: str
    response: tuple[Column, ...]
    params: tuple[Param, ...]
    reference: Callable[..., Any] = field(compare=False, repr=False)
    start: Callable[..., Mapping[str, Any]] | None = field(default=None, compare=False, repr=False)
    score: Callable[..., Any] | None = field(default=None, compare=False, repr=False)
    stan: str = ""
    cumulative: bool = False
    cov: str | None = None
    stan_code: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.stan:
            object.__setattr__(self, "stan", self.name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A family of stanmix is pickled by its key, since its functions cannot be.
        from stanmix.families import FAMILIES

        if FAMILIES.get(self.key) is self:
            return _of_stanmix, (self.key,)
        return super().__reduce_ex__(protocol)

    def started(self, *response: Any, **counted: int) -> Mapping[str, Any]:
        """Rough values of the parameters in the rows of one presumed state; see `start`."""
        if self.start is not None:
            return self.start(*response, **counted)
        return fitted(self, *response, **counted)

    @property
    def key(self) -> str:
        """Its name in a registry and in a saved specification: `normal`, `normal[full]`."""
        return self.name if self.cov is None else f"{self.name}[{self.cov}]"

    def param(self, name: str) -> Param:
        """The parameter called `name`; KeyError if there is none."""
        for param in self.params:
            if param.name == name:
                return param
        raise KeyError(name)

    def columns(self, additions: frozenset[str]) -> tuple[Column, ...]:
        """The response columns in a model with these additions (`dec`, ...) on its left side."""
        return tuple(c for c in self.response if not c.optional or c.addition in additions)

    def has_cumulative(self, additions: frozenset[str]) -> bool:
        """Whether it has a distribution function in a model with these additions.

        A response that comes with a choice has none.
        """
        return self.cumulative and all(c.kind != "choice" for c in self.columns(additions))

    def signature(
        self,
        additions: frozenset[str] = frozenset(),
        function: str = "log_omega",
        by_row: frozenset[str] = frozenset(),
    ) -> str:
        """The head of one of its Stan functions, as it stands in the Stan file.

        Parameters
        ----------
        additions
            Additions of the model, which decide whether optional columns are there.
        function
            `log_omega`; `log_cumulative`, the log distribution function (Stan keeps names that
            end in `_cdf` for functions of another form); `log_survival`, the log probability of
            more; or, of several columns at once of which rows may lack some, `partial_log_omega`,
            the log density of those that a row has. All take the response and then the parameters.
        by_row
            Parameters that vary by row. Only for probabilities there is another function then.

        Examples
        --------
        >>> from stanmix.families import FAMILIES
        >>> FAMILIES["normal"].signature()
        'vector normal_log_omega(vector y, real mu, real sigma)'
        """
        arguments = [a for column in self.columns(additions) for a in column.arguments()]
        if function == "partial_log_omega":
            arguments += [("array[,] int", "seen"), ("array[] int", "arranged")]
            arguments.append(("array[] int", "pattern_size"))
        arguments += [param.argument(by_row=param.name in by_row) for param in self.params]
        listed = ", ".join(f"{stan_type} {name}" for stan_type, name in arguments)
        return f"vector {self.stan}_{function}({listed})"


def _of_stanmix(key: str) -> Family:
    from stanmix.families import FAMILIES

    return FAMILIES[key]


def fitted(family: Family, *response: Any, **counted: int) -> dict[str, float]:
    """Parameters roughly fitted to the rows of a response, from their middle.

    Parameters
    ----------
    family
        A family whose parameters are numbers.
    *response, **counted
        As of `Family.start`.
    """
    y = np.asarray(response[0], dtype=np.float64)
    middle = float(np.median(y)) if y.size else 0.0

    def parameters(point: NDArray[np.float64]) -> dict[str, float]:
        return {p.name: _moved(p, middle, x) for p, x in zip(family.params, point, strict=True)}

    def misfit(point: NDArray[np.float64]) -> float:
        with np.errstate(all="ignore"):
            reference = family.reference(**parameters(point))
            density = getattr(reference, "logpdf", None) or reference.logpmf
            total = float(np.sum(np.maximum(density(*response, **counted), -1e4)))
        return -total if np.isfinite(total) else 1e9

    origin = np.zeros(len(family.params))
    best = optimize.minimize(misfit, origin, method="Nelder-Mead", options={"maxfev": FITTED})
    return parameters(best.x)


FITTED = 200
"""Evaluations that a rough fit may take."""


def _moved(param: Param, middle: float, x: float) -> float:
    """A parameter a distance `x` from its middle, within its bounds."""
    if param.lower is None:
        return middle + x * max(abs(middle), 1.0)
    if param.upper is None:
        start = middle - param.lower if param.orders and middle > param.lower else 1.0
        return param.lower + start * float(np.exp(np.clip(x, -20, 20)))
    return param.lower + (param.upper - param.lower) / (1 + float(np.exp(-np.clip(x, -20, 20))))
