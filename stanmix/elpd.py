"""`Elpd`: how well a model predicts what it has not seen, in terms and in sum.

References
----------
Magnusson, M., Riis Andersen, M., Jonasson, J., & Vehtari, A. (2020). Leave-one-out cross-validation
for Bayesian model comparison in large data. *AISTATS*, 108, 341-351.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stanmix.errors import plural
from stanmix.questions.terms import Kind

if TYPE_CHECKING:
    from stanmix.fit import Fit


@dataclass(frozen=True, repr=False, eq=False)
class Elpd:
    """Expected log predictive density, of what the model has not seen.

    Parameters
    ----------
    method
        `PSIS-LOO`, `exact LOO`, `PSIS-LFO`, `exact LFO`, `K-fold` or `WAIC`.
    kind
        What is left out: `observation`, `unit`, `series` or `future`.
    question
        The same in a sentence.
    terms
        A row for each term: `elpd`; `p`, the effective number of parameters it takes; `mcse`, the
        Monte Carlo error; `pareto_k`; `refitted`, whether the model was fitted without it; `count`,
        how often it counts; and `lpd`, the density without leaving anything out. Where only some
        are worked out, the others have `lpd` alone.
    good_k
        The largest Pareto k of a term that can be trusted, for this number of draws.
    fit
        The fit.
    """

    method: str
    kind: Kind
    question: str
    terms: pd.DataFrame
    good_k: float
    fit: Fit

    @property
    def elpd(self) -> float:
        """The sum of the terms."""
        return total(self.terms["elpd"], self.terms)

    @property
    def se(self) -> float:
        """Its standard error: how much it would vary with other data of as many terms."""
        return spread(self.terms["elpd"], self.terms)

    @property
    def p(self) -> float:
        """The effective number of parameters: by how much the model predicts better what it saw."""
        return total(self.terms["p"], self.terms)

    @property
    def mcse(self) -> float:
        """The Monte Carlo error of `elpd`, with that of working out only some terms."""
        known = self.terms.dropna(subset="elpd")
        times = len(self.terms) / len(known)
        own = times * np.sqrt(np.sum((known["count"] * known["mcse"]) ** 2))
        return float(np.hypot(own, left_to_chance(self.terms["elpd"], self.terms)))

    @property
    def bad(self) -> pd.DataFrame:
        """The terms whose Pareto k is too large to trust them."""
        return self.terms[self.terms["pareto_k"] > self.good_k]

    def __repr__(self) -> str:
        n, known = len(self.terms), int(self.terms["elpd"].notna().sum())
        lines = [
            f"{self.method}: {self.question}",
            f"elpd {self.elpd:.1f} (se {self.se:.1f}), p {self.p:.1f}, "
            f"Monte Carlo error {self.mcse:.2f}, {plural(n, 'term')}",
        ]
        if known < n:
            lines.append(f"worked out for {known} terms, estimated for the others")
        refitted = int(self.terms["refitted"].sum())
        if refitted:
            lines.append(f"the model was fitted again for {plural(refitted, 'term')}")
        if len(self.bad):
            named = ", ".join(map(str, self.bad.index[:5]))
            more = ", ..." if len(self.bad) > 5 else ""
            lines.append(
                f"Pareto k is above {self.good_k:.2f} for {plural(len(self.bad), 'term')} "
                f"({named}{more}), which are not to be trusted"
            )
        return "\n".join(lines)


def total(values: pd.Series, terms: pd.DataFrame) -> float:
    """The sum of `values` over all terms, of which some are not known.

    The unknown ones are their `lpd`, corrected by how much the known ones differ from theirs
    (the difference estimator of Magnusson et al. 2020).
    """
    weighted = terms["count"] * values
    if not values.isna().any():
        return float(weighted.sum())
    stand_in = terms["count"] * _stand_in(values, terms)
    return float(stand_in.sum() + len(terms) * (weighted - stand_in).mean())


def left_to_chance(values: pd.Series, terms: pd.DataFrame) -> float:
    """The standard error of `total` from which of the terms are known."""
    known = values.notna()
    n, m = len(terms), int(known.sum())
    if m == n:
        return 0.0
    off = (terms["count"] * (values - _stand_in(values, terms)))[known]
    return float(n * np.sqrt((1 - m / n) * off.var(ddof=1) / m))


def spread(values: pd.Series, terms: pd.DataFrame) -> float:
    """The standard error of `total` over data: of as many terms, each as often as it counts."""
    known = values.notna()
    times, value = terms["count"][known], values[known]
    mean = np.average(value, weights=times)
    variance = np.average((value - mean) ** 2, weights=times)
    n = float(terms["count"].sum())
    return float(np.sqrt(n * variance * n / (n - 1))) if n > 1 else np.nan


def _stand_in(values: pd.Series, terms: pd.DataFrame) -> Any:
    return terms["lpd"] if values.name == "elpd" else 0.0
