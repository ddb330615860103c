"""`Elpd`: how well a model predicts what it has not seen, in terms and in sum.

References
----------
Magnusson, M., Riis Andersen, M., Jonasson, J., & Vehtari, A. (2020). Leave-one-out cross-validation
for Bayesian model comparison in large data. *AISTATS*, 108, 341-351.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.errors import plural
from stanmix.questions.terms import Kind

if TYPE_CHECKING:
    from plotnine import ggplot

    from stanmix.fit import Fit


@dataclass(frozen=True, repr=False, eq=False)
class Elpd:
    """Expected log predictive density, of what the model has not seen.

    Parameters
    ----------
    method
        `PSIS-LOO`, `PSIS-LFO`, `exact LFO`, `WAIC`, or `10-fold cross-validation`.
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
    of_row
        Which of what is left out each row belongs to, by a number.
    """

    method: str
    kind: Kind
    question: str
    terms: pd.DataFrame
    good_k: float
    fit: Fit
    of_row: NDArray[np.int64]

    @property
    def elpd(self) -> float:
        """The sum of the terms."""
        return self._sum.value

    @property
    def se(self) -> float:
        """Its standard error: how much it would vary with other data of as many terms."""
        return self._sum.se

    @property
    def p(self) -> float:
        """The effective number of parameters: by how much the model predicts better what it saw."""
        return summed(self.terms["p"], 0 * self.terms["lpd"], self.terms["count"]).value

    @property
    def mcse(self) -> float:
        """The Monte Carlo error of `elpd`, with that of working out only some terms."""
        own = (self.terms["count"] * self.terms["mcse"]).dropna()
        times = len(self.terms) / len(own)
        return float(np.hypot(times * np.sqrt((own**2).sum()), self._sum.chance))

    @cached_property
    def _sum(self) -> Sum:
        return summed(self.terms["elpd"], self.terms["lpd"], self.terms["count"])

    @property
    def bad(self) -> pd.DataFrame:
        """The terms whose Pareto k is too large to trust them."""
        return self.terms[self.terms["pareto_k"] > self.good_k]

    def plot(self) -> ggplot:
        """The Pareto k of each term, with the largest that can be trusted.

        Returns
        -------
        ggplot
            As `stanmix.plots.pareto_k` describes it.

        Raises
        ------
        SpecError
            Terms have no Pareto k.
        """
        from stanmix.plots import pareto_k

        return pareto_k(self)

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


class Sum(NamedTuple):
    """A sum of terms, of which some may not be known.

    Parameters
    ----------
    value
        The sum.
    se
        Its standard error over data of as many terms.
    chance
        Its standard error from which of the terms are known; 0 where all are.
    """

    value: float
    se: float
    chance: float


def summed(terms: pd.Series, stand_ins: pd.Series, counts: pd.Series) -> Sum:
    """The sum of terms, each as often as it counts.

    Terms that are not known are estimated by their stand-ins, corrected by how much the known ones
    differ from theirs: the difference estimator of Magnusson et al. (2020).

    Parameters
    ----------
    terms
        The terms; NaN where they are not known.
    stand_ins
        What is known of all.
    counts
        How often each counts.
    """
    known, n = terms.notna(), len(terms)
    m = int(known.sum())
    value, chance = float((counts * terms).sum()), 0.0
    if m < n:
        off = (counts * (terms - stand_ins))[known]
        value = float((counts * stand_ins).sum() + n * off.mean())
        chance = float(n * np.sqrt((1 - m / n) * off.var(ddof=1) / m))
    total = float(counts.sum())
    mean = np.average(terms[known], weights=counts[known])
    variance = np.average((terms[known] - mean) ** 2, weights=counts[known])
    se = float(np.sqrt(total * variance * total / (total - 1))) if total > 1 else np.nan
    return Sum(value, se, chance)
