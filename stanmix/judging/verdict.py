"""The verdict: what is wrong, with the draws of another tool or with the reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from stanmix.errors import DataError
from stanmix.fit import Fit
from stanmix.foreign import points_of, template, with_draws
from stanmix.judging import suspicions
from stanmix.judging.c2st import C2ST, LEVEL, VERDICT, c2st
from stanmix.judging.distances import distances
from stanmix.judging.independence import DependentDraws
from stanmix.judging.mmd import MMD, mmd
from stanmix.judging.psis import Corrected, Scale, psis
from stanmix.judging.suspicions import Suspicion
from stanmix.modes import Modes
from stanmix.named_draws import Source, read


@dataclass(frozen=True, repr=False, eq=False)
class Verdict:
    """What the referee found.

    Parameters
    ----------
    table
        A row for each check: its `value`, the `limit`, and what it `says`.
    suspicions
        What speaks against the draws, or against the reference.
    c2st, mmd, distances, modes
        What these checks found; None if draws are worth too few independent ones.
    psis
        The draws weighted by their densities, if these were given.
    """

    table: pd.DataFrame
    suspicions: tuple[Suspicion, ...]
    c2st: C2ST | None
    mmd: MMD | None
    distances: pd.DataFrame | None
    modes: Modes | None
    psis: Corrected | None

    @property
    def suspect(self) -> str:
        """`draws`, `reference`, `both`, `neither`, or `unknown` where there are too few draws."""
        sides = {suspicion.side for suspicion in self.suspicions}
        if len(sides) == 2:
            return "both"
        if sides:
            return sides.pop()
        if self.c2st is None or self.c2st.n < VERDICT:
            return "unknown"
        return "draws" if self.differ else "neither"

    @property
    def differ(self) -> bool:
        """Whether the draws are told apart from the reference."""
        tests = [test.p_value for test in (self.c2st, self.mmd) if test is not None]
        # Of two tests.
        return min(tests, default=1.0) < LEVEL / 2

    @property
    def text(self) -> str:
        """The verdict, in a sentence."""
        if self.suspect == "unknown":
            return f"No verdict: fewer than {VERDICT} independent draws."
        if self.suspect == "neither":
            return "Nothing speaks against the draws, nor against the reference."
        if self.suspect == "both":
            return "Something speaks against the draws, and something against the reference."
        if self.suspect == "reference":
            return "The reference is suspect; mend it before the draws are judged."
        if self.suspicions:
            return "The draws are suspect."
        away = ", ".join(map(str, self.c2st.importance.index[:3])) if self.c2st else "all"
        return (
            "The draws differ from the reference, of which nothing is wrong that could be found; "
            f"the difference is in {away}."
        )

    def __repr__(self) -> str:
        found = [f"- {suspicion.text}" for suspicion in self.suspicions]
        return "\n".join([self.text, *found, "", self.table.to_string()])


def referee(
    fit: Fit,
    draws: Source,
    log_q: Any = None,
    *,
    scale: Scale = "unconstrained",
    variables: str | Iterable[str] | None = None,
    seed: int = 1,
) -> Verdict:
    """Judge draws of another tool by those of a fit, and the fit as well.

    Draws and reference may differ because of either. So the reference is looked at first; then
    whether draws keep to the constraints of the model; whether both can be told apart; which modes
    each has, and what mass these have by importance sampling; and, where they differ, whether
    swapped labels or a wrong Jacobian explain it.

    Parameters
    ----------
    fit
        The reference, of two chains or more.
    draws
        What is judged, as `Model.with_draws` takes it.
    log_q, scale
        Its log density, as `psis` takes it, if it is known.
    variables
        What `c2st`, `mmd` and `distances` compare; all if not given.
    seed
        Seed of all that is drawn.

    Returns
    -------
    Verdict
        `text`, which side is `suspect`, the `suspicions`, and a table of all checks.

    Raises
    ------
    DataError
        The draws are none of the model's parameters; or as in `c2st` and `psis`.
    SpecError
        As in `psis`.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> m = sm.model("y ~ mix(normal(sigma=1), K=2)", {"y": y})
    >>> one, other = (m.fit(engine="stanli", seed=seed) for seed in (1, 2))
    >>> sm.referee(one, other).suspect
    'neither'
    """
    if not isinstance(fit, Fit):
        raise DataError(f"The reference must be a fit, not {type(fit).__name__}.")
    given = read(draws, "The draws", like=template(fit.model.spec))
    points = points_of(fit.model, given)
    if variables is None:
        # What follows from parameters, other tools need not have.
        variables = list(map(str, template(fit.model.spec)))
    found = [*suspicions.of_reference(fit), *suspicions.of_constraints(points)]
    rows = [_row("constraints", sum(points.broken.values()), 0, "share of draws that break one")]
    told, kernel, apart = None, None, None
    try:
        told = c2st(fit, given, variables=variables, seed=seed)
        kernel = mmd(fit, given, variables=variables, seed=seed)
        apart = distances(fit, given, variables=variables)
        rows += [
            _row("c2st", told.score, told.floor, f"p = {told.p_value:.2g}: {told.verdict}"),
            _row("mmd", kernel.statistic, 0, f"p = {kernel.p_value:.2g}"),
            _row("ks", apart["ks"].iloc[0], np.nan, f"largest, of {apart.index[0]}"),
        ]
    except DependentDraws as error:
        rows.append(_row("c2st", np.nan, np.nan, str(error)))
    weighed = None
    if log_q is not None:
        weighed = psis(fit, given, log_q, scale=scale)
        worth = f"{len(weighed.log_weights)} draws are worth {weighed.ess:.0f}"
        rows.append(_row("pareto k", weighed.pareto_k, weighed.good_k, worth))
        other: Scale = "constrained" if scale == "unconstrained" else "unconstrained"
        again = psis(fit.model, given, weighed.log_q, scale=other)
        found += suspicions.of_densities(weighed, again)
    modes = None
    good = np.isfinite(points.values).all(axis=1)
    if good.any():
        kept = with_draws(fit.model, _kept(given, good))
        modes, lacking = suspicions.of_modes(fit, kept, seed)
        rows.append(_row("modes", len(modes.table), np.nan, "found from draws of both"))
        found += lacking
    result = Verdict(
        pd.DataFrame(rows).set_index("check"), tuple(found), told, kernel, apart, modes, weighed
    )
    if result.differ and not any(suspicion.side == "draws" for suspicion in found):
        found += [*suspicions.of_labels(fit, given), *suspicions.of_jacobians(fit, given)]
    return replace(result, suspicions=tuple(found))


def _row(check: str, value: float, limit: float, says: str) -> dict[str, Any]:
    return {"check": check, "value": round(float(value), 4), "limit": limit, "says": says}


def _kept(given: xr.Dataset, good: Any) -> xr.Dataset:
    """The draws that keep to all constraints, as one chain."""
    stacked = given.stack(all_draws=("chain", "draw")).transpose("all_draws", ...)
    kept = stacked.isel(all_draws=np.flatnonzero(good)).drop_vars(["all_draws", "chain", "draw"])
    return kept.rename({"all_draws": "draw"}).expand_dims("chain")
