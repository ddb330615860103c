"""Simulation-based calibration: whether posteriors of simulated data are right, on average.

References
----------
Modrak, M., Moon, A. H., Kim, S., Buerkner, P., Huurre, N., Faltejskova, K., Gelman, A., & Vehtari,
A. (2023). Simulation-based calibration checking for Bayesian computation: the choice of test
quantities shapes sensitivity. *Bayesian Analysis*, 20, 461-488.

Saeilynoja, T., Buerkner, P.-C., & Vehtari, A. (2022). Graphical test for discrete uniformity and
its applications in goodness-of-fit evaluation and multiple sample comparison. *Statistics and
Computing*, 32, 32.

Talts, S., Betancourt, M., Simpson, D., Vehtari, A., & Gelman, A. (2018). Validating Bayesian
inference algorithms with simulation-based calibration. *arXiv:1804.06788*.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from arviz_stats import ecdf_utils
from numpy.typing import NDArray

from stanmix.errors import SpecError, plural, require_count
from stanmix.fits import Fits
from stanmix.judging.replications import replicated
from stanmix.model import Model

if TYPE_CHECKING:
    from plotnine import ggplot

Array = NDArray[np.float64]

LEVEL = 0.01
"""The probability that any quantity leaves its band where all posteriors are right."""

PER_TAIL = 20
"""Simulations of a band for each that is expected to leave it."""

FEWEST = 20
"""Fewest fits by which anything is calibrated."""


@dataclass(frozen=True, repr=False, eq=False)
class Calibration:
    """What simulation-based calibration found.

    Parameters
    ----------
    pit
        Where the true value of each quantity (column) lies among the draws of each fit (row): 0
        below and 1 above all of them, uniform where posteriors are right.
    band
        The simultaneous band of the distribution functions of the columns: `at`, `lower`, `upper`.
    table
        A row for each quantity: whether it `leaves` the band, by how much at most (`excess`), and
        the mean and standard deviation of its column, of which 0.5 and 0.289 are expected.
    fits
        The fits, and why some failed.
    """

    pit: pd.DataFrame
    band: pd.DataFrame
    table: pd.DataFrame
    fits: Fits

    @property
    def is_good(self) -> bool:
        """Whether no quantity leaves its band, and no fit failed."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        found = []
        if self.fits.failed:
            found.append(
                f"{plural(len(self.fits.failed), 'fit')} failed (`fits.failed`): what they would "
                "have said is not known, and nothing is calibrated without it."
            )
        for name, row in self.table[self.table["leaves"]].iterrows():
            found.append(f"`{name}` leaves its band: {_how(row)}.")
        return tuple(found)

    def plot(self) -> ggplot:
        """The distribution functions of all quantities, less that of a uniform number.

        Returns
        -------
        ggplot
            A picture to show, to change or to save.
        """
        from stanmix.plots.calibration import calibration

        return calibration(self)

    def __repr__(self) -> str:
        head = f"Simulation-based calibration, {len(self.pit)} fits of simulated data"
        said = self.problems or ("All quantities stay inside their bands.",)
        table = self.table.to_string(float_format=lambda v: f"{v:.3f}")
        return "\n".join([head, *said, "", table])


def sbc(
    model: Model,
    n: int = 200,
    *,
    simulator: Model | None = None,
    folder: str | Path | None = None,
    seed: int = 1,
    **options: Any,
) -> Calibration:
    """Whether posteriors are right, on average over data from the prior.

    Parameters are drawn from the prior and data of the model's rows from these. Among draws from
    the right posterior, the true value then has any rank with the same probability. It is looked at
    for every parameter whose labels mean something, for sorted weights or probabilities to stay,
    and for the log likelihood, which sees errors that parameters alone do not (Modrak et al. 2023).

    Parameters
    ----------
    model
        The model; its rows say how large data sets are.
    n
        How many.
    simulator
        A model with the same parameters whose prior and responses are taken in place of the
        model's: a fault made on purpose.
    folder
        Where fits are kept, so that a call that was cut off, or `recovery`, goes on from there.
    seed
        Seed of parameters, data and fits.
    **options
        Those of `fit_many`: `workers`, `engine`, `chains`, `warmup`, `draws`, ...

    Returns
    -------
    Calibration
        Where true values lie, simultaneous bands at 1 - 0.01 / Q for Q quantities, and `problems`
        in words.

    Raises
    ------
    SpecError
        A prior is flat; `n` is below 20; the simulator has other parameters; or as in `fit_many`.

    Notes
    -----
    Draws are thinned until they are about independent. Bounds that are data, as of a non-decision
    time, do not truncate the prior.

    Examples
    --------
    >>> import stanmix as sm
    >>> m = sm.model("y ~ mix(poisson, K=1)", {"y": [0, 1, 2, 1]}, priors={"rate": "gamma(2, 1)"})
    >>> found = sm.sbc(m, 20, engine="stanli", chains=1, draws=200, seed=1)
    >>> found.is_good
    True
    """
    require_count("n", n, 1)
    if n < FEWEST:
        raise SpecError(f"`n` must be {FEWEST} or more: fewer ranks tell nothing.")
    made = replicated(model, n, simulator=simulator, folder=folder, seed=seed, **options)
    rng = np.random.default_rng(seed)
    rows = {}
    for number, one in made:
        rows[number] = {name: _place(one.draws[name], one.truth[name], rng) for name in one.draws}
    pit = pd.DataFrame.from_dict(rows, orient="index").rename_axis("data")
    if len(pit) < FEWEST:
        raise SpecError(f"{len(pit)} of {n} data sets have a fit: too few to calibrate anything.")
    band = _band(len(pit), 1 - LEVEL / len(pit.columns), rng)
    table = pd.DataFrame({name: _judged(pit[name].to_numpy(), band) for name in pit}).T
    table = table.astype({"leaves": bool}).astype(
        dict.fromkeys(("excess", "mean", "sd"), np.float64)
    )
    return Calibration(pit, band, table.rename_axis("quantity"), made.fits)


def _place(draws: Array, truth: float, rng: np.random.Generator) -> float:
    """Where a value lies among draws: uniform if it is one of them, whatever their number."""
    below, same = int((draws < truth).sum()), int((draws == truth).sum())
    return float((below + rng.random() * (1 + same)) / (len(draws) + 1))


def _band(n: int, level: float, rng: np.random.Generator) -> pd.DataFrame:
    """The simultaneous band of the distribution function of `n` uniform numbers."""
    simulations = int(np.ceil(PER_TAIL / (1 - level)))
    at, _, lower, upper = ecdf_utils.ecdf_pit(
        rng.random(n), ci_prob=level, n_simulations=simulations, rng=rng
    )
    return pd.DataFrame({"at": at, "lower": lower, "upper": upper})


def _judged(pit: Array, band: pd.DataFrame) -> dict[str, Any]:
    """What the table says of a quantity."""
    ecdf = np.searchsorted(np.sort(pit), band["at"], side="right") / len(pit)
    excess = float(np.maximum(ecdf - band["upper"], band["lower"] - ecdf).max())
    return {
        "leaves": excess > 0,
        "excess": max(excess, 0.0),
        "mean": pit.mean(),
        "sd": pit.std(),
    }


def _how(row: pd.Series) -> str:
    """In which way posteriors are wrong."""
    off, wide = row["mean"] - 0.5, row["sd"] / np.sqrt(1 / 12) - 1
    if abs(off) > abs(wide) / 4:
        where = "low" if off > 0 else "high"
        return (
            f"posteriors lie too {where}, since true values have a mean rank of {row['mean']:.2f}"
        )
    width = "narrow" if wide > 0 else "wide"
    return f"posteriors are too {width}"
