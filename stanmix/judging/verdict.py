"""The verdict: what is wrong, with the draws of another tool or with the reference."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stanmix.errors import DataError, SamplingError, SpecError, require_count
from stanmix.fit import Fit
from stanmix.foreign import WHAT, fit_at, points_of, template
from stanmix.importance import FEWEST as FEWEST_WEIGHTED
from stanmix.judging.alignment import in_order, kept
from stanmix.judging.c2st import C2ST, LEVEL, VERDICT, require_classifier, tell_apart
from stanmix.judging.compared import Compared, DependentDraws, compared_pair
from stanmix.judging.distances import apart
from stanmix.judging.explanations import of_densities, of_jacobians, of_labels
from stanmix.judging.matching import FEWEST, Pair, common, require_chains
from stanmix.judging.mmd import MMD, discrepancy
from stanmix.judging.psis import Corrected, Scale, require_density, weighed
from stanmix.judging.suspicions import Suspicion, of_constraints, of_modes, of_reference
from stanmix.labels import one_numbering
from stanmix.modes import LEAST, STARTS, Modes, search
from stanmix.named_draws import Source, read
from stanmix.permutations import can_be_renumbered

if TYPE_CHECKING:
    from plotnine import ggplot


CLIMBED = 20
"""Draws of each side from which modes are climbed to."""


@dataclass(frozen=True, repr=False, eq=False)
class Verdict:
    """What the referee found.

    Parameters
    ----------
    suspicions
        What speaks against the draws, or against the reference.
    broken
        The share of the draws that break a constraint.
    c2st, mmd, distances
        What these checks found of the others; None if they are too few, or worth too few.
    compared
        The draws that they compared; None likewise.
    uncompared
        Why they found nothing, in words.
    modes
        Modes, by climbs from draws of both.
    psis
        The draws weighted by their densities, if these were given.
    """

    suspicions: tuple[Suspicion, ...]
    broken: float
    c2st: C2ST | None = None
    mmd: MMD | None = None
    distances: pd.DataFrame | None = None
    compared: Compared | None = None
    uncompared: str = ""
    modes: Modes | None = None
    psis: Corrected | None = None

    @property
    def suspect(self) -> str:
        """`draws`, `reference`, `both`, `neither`, or `unknown`."""
        sides = {suspicion.side for suspicion in self.suspicions}
        if "both" in sides or {"draws", "reference"} <= sides:
            return "both"
        for side in ("draws", "reference"):
            if side in sides:
                return side
        if sides or self.c2st is None or self.c2st.n < VERDICT:
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
        if self.suspect == "unknown" and self.suspicions:
            return "The draws or the reference are wrong, and which of them is not known."
        if self.suspect == "unknown":
            left = ""
            if self.c2st is not None:
                ours, theirs = self.c2st.ess
                left = (
                    f" ({self.c2st.n} of each; the reference's are worth {ours:.0f}, and those "
                    f"that are judged {theirs:.0f})"
                )
            return f"No verdict: thinned, there are fewer than {VERDICT} draws{left}."
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

    @property
    def table(self) -> pd.DataFrame:
        """A row for each check: its `value`, the `limit`, and what it `says`."""
        rows = {"constraints": (self.broken, 0.0, "share of draws that break one")}
        if self.psis is not None:
            worth = f"{len(self.psis.log_weights)} draws are worth {self.psis.ess:.0f}"
            rows["pareto k"] = (self.psis.pareto_k, self.psis.good_k, worth)
        if self.uncompared:
            rows["c2st"] = (np.nan, np.nan, self.uncompared)
        if self.c2st is not None:
            few = ": too few for a verdict" if self.c2st.verdict == "none" else ""
            says = f"p = {self.c2st.p_value:.2g}{few}"
            rows["c2st"] = (self.c2st.score, self.c2st.floor, says)
        if self.mmd is not None:
            rows["mmd"] = (self.mmd.statistic, np.nan, f"p = {self.mmd.p_value:.2g}")
        if self.distances is not None:
            most = self.distances.iloc[0]
            rows["ks"] = (most["ks"], np.nan, f"largest, of {self.distances.index[0]}")
        if self.modes is not None:
            masses = self.modes.table["mass"]
            says = f"with {LEAST:.0%} of the mass or more, of {len(masses)} found"
            rows["modes"] = (int((masses >= LEAST).sum()), np.nan, says)
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "limit", "says"])
        table["value"] = table["value"].astype(np.float64).round(4)
        return table.rename_axis("check")

    def plot(self, /, picture: str = "ecdf", **options: Any) -> ggplot:
        """A picture of the draws and the reference.

        Parameters
        ----------
        picture
            `ecdf`: the differences of their distribution functions, number by number; `pairs`: both
            over each two numbers.
        **options
            What the picture takes, as its function in `stanmix.plots.PICTURES_OF_TWO` says:
            `variables="mu"`.

        Returns
        -------
        ggplot
            A picture to show, to change, or to save: `.save(path)` writes it.

        Raises
        ------
        SpecError
            Nothing was compared; there is no such picture; or it has no such option.

        Examples
        --------
        >>> import stanmix as sm
        >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
        >>> m = sm.model("y ~ mix(normal(sigma=1), K=2)", {"y": y})
        >>> one, other = (m.fit(engine="stanli", seed=seed) for seed in (1, 2))
        >>> picture = sm.referee(one, other).plot("pairs", variables="mu")
        """
        from stanmix import plots

        if self.compared is None:
            raise SpecError(f"Nothing was compared: {self.uncompared.rstrip('.')}.")
        return plots.picture(plots.PICTURES_OF_TWO, self.compared, picture, **options)

    def __repr__(self) -> str:
        found = [f"- {suspicion.text}" for suspicion in self.suspicions]
        return "\n".join([self.text, *found, "", self.table.to_string()])

    def with_suspicions(self, found: Iterable[Suspicion]) -> Verdict:
        """The verdict, with more that speaks against one side."""
        return replace(self, suspicions=(*self.suspicions, *found))


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
        As in `psis`; or the draws of the reference were given, or stacked.

    Notes
    -----
    Draws of one chain must keep their order, so that it shows how far they hang together: of draws
    that have been shuffled nothing can tell. Labels that are swapped in single variables are looked
    for with up to four components.

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
    require_classifier()
    require_count("seed", seed, 0, 2**32 - 1)
    require_chains(fit.draws["posterior"].to_dataset(), "The reference's draws")
    model = fit.model
    if log_q is not None:
        require_density(model.spec, scale)
    given = read(draws, WHAT, like=template(model.spec))
    points = points_of(model, given)
    if len(points.good) < FEWEST:
        raise DataError(f"{WHAT} are {len(points.good)}, and at least {FEWEST} are needed.")
    weights = None
    # Fewer that keep to the model are wrong whatever their weights.
    if log_q is not None and points.good.sum() >= FEWEST_WEIGHTED:
        # Where components may change places a tool may know one of their numberings alone.
        asked = model if can_be_renumbered(model.spec) else fit
        weights = weighed(model, given, points, log_q, scale, asked)
    result = Verdict(
        suspicions=(*of_reference(fit), *of_constraints(points)),
        broken=float(1 - points.good.mean()),
        psis=weights,
    )
    ordered, notes = in_order(model.spec, given)
    points_in_order = points_of(model, ordered) if notes else points
    count = int(points_in_order.good.sum())
    if count < FEWEST:
        return replace(result, uncompared=f"{count} draws break no constraint, too few to compare")
    ours = one_numbering(fit)
    theirs = one_numbering(kept(model, points_in_order, given.sizes["chain"]), to=ours)
    one, other = (f.draws["posterior"].to_dataset() for f in (ours, theirs))
    # What follows from parameters, other tools need not have.
    chosen = list(map(str, template(model.spec))) if variables is None else variables
    try:
        result = _compared(result, compared_pair(Pair(*common(one, other, chosen), notes)), seed)
    except DependentDraws as error:
        result = replace(result, uncompared=str(error))
    modal: tuple[Suspicion, ...] = ()
    # Where no climb comes to an end, the reference's own diagnostics say why.
    with suppress(SamplingError):
        found = search([ours, theirs], STARTS, CLIMBED, np.random.default_rng(seed))
        modal = tuple(of_modes(found))
        result = replace(result, modes=found.modes).with_suspicions(modal)
    result = result.with_suspicions(of_labels(ours, theirs))
    if weights is not None:
        at = fit_at(model, points.values[np.isfinite(weights.log_ratios)][None])
        wrong = of_densities(ours, one_numbering(at, to=ours), weights, modal=bool(modal))
        result = result.with_suspicions(wrong)
    if result.differ and not any(s.side == "draws" for s in result.suspicions):
        result = result.with_suspicions(of_jacobians(ours, theirs))
    return result


def _compared(result: Verdict, pair: Compared, seed: int) -> Verdict:
    """With what the tests of two sets of draws find."""
    return replace(
        result,
        c2st=tell_apart(pair, seed=seed),
        mmd=discrepancy(pair, seed=seed),
        distances=apart(pair),
        compared=pair,
    )
