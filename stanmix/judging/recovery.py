"""Recovery: how well parameters come back from data that they have made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stanmix.errors import SpecError, plural
from stanmix.fits import Fits
from stanmix.judging.replications import LIKELIHOOD, replicated
from stanmix.model import Model
from stanmix.named_draws import numbers

if TYPE_CHECKING:
    from plotnine import ggplot

PRIOR = 4000
"""Draws of the prior by which its spread is known."""

INTERVAL = 0.9
"""Probability of the intervals whose coverage is counted."""


@dataclass(frozen=True, repr=False, eq=False)
class Recovery:
    """How well parameters come back.

    Parameters
    ----------
    each
        A row for each fit (`data`) and `quantity`: `truth`, posterior `mean` and `sd`, whether the
        central 90 % interval `covers` the truth, `z`, the error of the mean in posterior standard
        deviations, and `contraction`, the share of the prior's variance that the data have taken
        away. The last two are NaN where draws never vary.
    table
        By quantity: the `correlation` of true values and means, the mean error (`bias`), the root
        mean squared error (`rmse`), the `coverage` of the intervals, the mean and standard
        deviation of `z`, and the mean `contraction`.
    fits
        The fits, and why some failed.
    """

    each: pd.DataFrame
    table: pd.DataFrame
    fits: Fits

    def plot(self) -> ggplot:
        """Posterior means and intervals against true values.

        Returns
        -------
        ggplot
            A picture to show, to change or to save.
        """
        from stanmix.plots.calibration import recovered

        return recovered(self)

    def __repr__(self) -> str:
        count = self.each["data"].nunique()
        head = f"Recovery of parameters from {count} simulated data sets"
        if self.fits.failed:
            head += f"; {plural(len(self.fits.failed), 'fit')} failed"
        return head + "\n\n" + self.table.to_string(float_format=lambda v: f"{v:.3f}")


def recovery(
    model: Model,
    n: int = 100,
    *,
    simulator: Model | None = None,
    folder: str | Path | None = None,
    seed: int = 1,
    **options: Any,
) -> Recovery:
    """How well parameters come back from data that they have made.

    Parameters
    ----------
    model, n, simulator, folder, seed, **options
        As of `sbc`; with the same folder and seed, its fits serve for both.

    Returns
    -------
    Recovery
        Errors, z-scores, contraction and coverage, of each fit and by quantity.

    Raises
    ------
    SpecError
        As in `sbc`; or there is no fit at all.

    Examples
    --------
    >>> import stanmix as sm
    >>> m = sm.model("y ~ mix(poisson, K=1)", {"y": [0, 1, 2, 1]}, priors={"rate": "gamma(2, 1)"})
    >>> found = sm.recovery(m, 20, engine="stanli", chains=1, draws=200, seed=1)
    >>> bool(found.table.loc["rate[1]", "correlation"] > 0.5)
    True
    """
    made = replicated(model, n, simulator=simulator, folder=folder, seed=seed, **options)
    prior = numbers(model.sample_prior(PRIOR, seed=seed))
    spread = {name: float(values.var()) for name, values in prior.items()}
    tail = (1 - INTERVAL) / 2
    rows = []
    for number, one in made:
        for name, draws in one.draws.items():
            if name == LIKELIHOOD:
                continue
            truth, mean = one.truth[name], float(draws.mean())
            sd = float(draws.std(ddof=1)) if np.ptp(draws) > 0 else 0.0
            low, high = np.quantile(draws, [tail, 1 - tail])
            rows.append(
                {
                    "data": number,
                    "quantity": name,
                    "truth": truth,
                    "mean": mean,
                    "sd": sd,
                    "low": low,
                    "high": high,
                    "covers": bool(low <= truth <= high),
                    "z": (mean - truth) / sd if sd > 0 else np.nan,
                    "contraction": 1 - sd**2 / spread.get(name, np.nan) if sd > 0 else np.nan,
                }
            )
    if not rows:
        raise SpecError("No data set has a fit, so that there is nothing to recover.")
    each = pd.DataFrame(rows)
    return Recovery(each, _by_quantity(each), made.fits)


def _by_quantity(each: pd.DataFrame) -> pd.DataFrame:
    found = {}
    for name, own in each.groupby("quantity", sort=False):
        error = own["mean"] - own["truth"]
        found[name] = {
            "correlation": np.corrcoef(own["truth"], own["mean"])[0, 1],
            "bias": error.mean(),
            "rmse": np.sqrt((error**2).mean()),
            "coverage": own["covers"].mean(),
            "mean z": own["z"].mean(),
            "sd z": own["z"].std(),
            "contraction": own["contraction"].mean(),
        }
    return pd.DataFrame(found).T.rename_axis("quantity")
