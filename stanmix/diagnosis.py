"""What is wrong with draws, in words, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from stanmix.diagnostics import APART, RHAT, summarise
from stanmix.errors import ConvergenceWarning, listing, percent, warn
from stanmix.permutations import can_be_renumbered
from stanmix.spec import ModelSpec

ESS_PER_CHAIN = 100
"""Smallest effective sample size a chain (Vehtari et al. 2021)."""

BFMI = 0.3
"""Smallest energy Bayesian fraction of missing information (Betancourt 2016)."""

SMALL_STEPS = 0.99
"""Target acceptance rate beyond which smaller steps hardly help."""

HARDLY_THERE = 0.05
"""Weight below which a component may be one too many, where something is wrong."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Parameters
    ----------
    what
        What, in a sentence.
    advice
        What to try next, in another.
    serious
        Whether it leaves the draws unfit for use.
    """

    what: str
    advice: str
    serious: bool = False

    def __str__(self) -> str:
        return f"{self.what} {self.advice}"


@dataclass(frozen=True)
class Diagnosis:
    """What the draws say about themselves.

    Parameters
    ----------
    invariant
        `summarise` of quantities that do not depend on labels. R-hat is to be read here first: what
        is bad here is no matter of labels.
    labelled
        The same of the parameters.
    divergent, saturated
        Divergent draws; draws whose tree reached its largest depth.
    draws
        All draws.
    bfmi
        E-BFMI of every chain.
    adapt_delta
        The target acceptance rate of the sampler.
    switching
        Whether labels may switch, because nothing orders components that are alike.
    renumbered
        Whether `relabel` can give them one numbering.
    ordered
        The parameters that order the components.
    """

    invariant: pd.DataFrame
    labelled: pd.DataFrame
    divergent: int
    saturated: int
    draws: int
    bfmi: tuple[float, ...]
    adapt_delta: float
    switching: bool
    renumbered: bool
    ordered: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, the worst first, with what to try next; empty if nothing is."""
        found = [*self._chains(), *self._sampler(), *self._sizes()]
        found += self._components() if found else ()
        return tuple(sorted(found, key=lambda finding: not finding.serious))

    @property
    def problems(self) -> tuple[str, ...]:
        """The same in words alone."""
        return tuple(map(str, self.findings))

    @property
    def serious(self) -> tuple[str, ...]:
        """Of the problems those that leave the draws unfit for use."""
        return tuple(str(finding) for finding in self.findings if finding.serious)

    @property
    def _has_r_hat(self) -> bool:
        return len(self.bfmi) >= 2 and self.draws >= 4 * len(self.bfmi)

    def _chains(self) -> Iterator[Finding]:
        """Whether chains agree, first about what does not depend on labels."""
        if not self._has_r_hat:
            yield Finding(
                "R-hat cannot be had from fewer than 2 chains of 4 draws, so nothing is known of "
                "convergence.",
                "Draw four chains.",
            )
            return
        stuck = _stuck(self.invariant) or _stuck(self.labelled)
        if stuck:
            yield Finding(
                f"`{stuck}` has no R-hat: the chains did not move, or hold values that are not "
                "finite.",
                "Look at `plot('trace')`, and start elsewhere: another `seed`, or `inits`.",
                serious=True,
            )
        (invariant, apart), (labelled, labels_apart) = map(_worst, (self.invariant, self.labelled))
        if apart > APART:
            yield Finding(
                f"Chains disagree about `{invariant}`, which does not depend on labels "
                f"(R-hat {apart:.3f}): they are in different modes, or far too short.",
                "`modes()` says which chain is in which mode, and how much mass each has; if there "
                "is one only, draw more.",
                serious=True,
            )
        elif labels_apart > APART and self.switching:
            yield Finding(
                f"Chains disagree about `{labelled}` (R-hat {labels_apart:.3f}), but not about "
                "what does not depend on labels: their labels differ.",
                "`relabel()` gives all draws one numbering."
                if self.renumbered
                else "Order a parameter that tells them apart (`order=`).",
            )
        elif labels_apart > APART:
            yield Finding(
                f"Chains disagree about `{labelled}` (R-hat {labels_apart:.3f}): they are far too "
                "short, or components cross where they are ordered.",
                self._other_order,
                serious=True,
            )
        elif max(apart, labels_apart) > RHAT:
            worst = invariant if apart > labels_apart else labelled
            yield Finding(
                f"Chains do not agree yet about `{worst}` (R-hat {max(apart, labels_apart):.3f}).",
                "Draw more.",
            )

    def _sampler(self) -> Iterator[Finding]:
        """What the sampler says of its way through the posterior."""
        if self.divergent:
            smaller = (
                f"A higher `adapt_delta` than {self.adapt_delta:g} takes smaller steps."
                if self.adapt_delta < SMALL_STEPS
                else "Steps are small already: stronger priors on what the data say little about "
                "(see `sensitivity()`), or fewer components, would help."
            )
            yield Finding(
                f"{self.divergent} of {self.draws} draws diverged: parts of the posterior may be "
                "missing.",
                smaller,
                serious=True,
            )
        if self.saturated:
            yield Finding(
                f"{self.saturated} draws reached the largest tree depth: sampling is slow, "
                "not wrong.",
                "Stronger priors on what the data say little about, or a higher `max_treedepth`, "
                "would help.",
            )
        low = [i + 1 for i, value in enumerate(self.bfmi) if value < BFMI]
        if low:
            yield Finding(
                f"E-BFMI is below {BFMI} in chain {', '.join(map(str, low))}: the chain explores "
                "the tails badly.",
                "Stronger priors on scales, such as those of groups, would help.",
            )

    def _sizes(self) -> Iterator[Finding]:
        """Whether there are draws enough."""
        sizes = self.labelled[["ess_bulk", "ess_tail"]].min(axis=1)
        enough = ESS_PER_CHAIN * len(self.bfmi)
        apart = max(_worst(table)[1] for table in (self.invariant, self.labelled))
        # Of chains that are apart, more draws of the same are no remedy.
        if sizes.min() < enough and apart <= APART:
            alike = self._has_r_hat and _worst(self.invariant)[1] <= RHAT
            yield Finding(
                f"`{sizes.idxmin()}` has an effective sample size of {sizes.min():.0f}.",
                f"{enough} are needed: draw {np.ceil(enough / sizes.min()):.0f} times as many."
                + (f" {self._other_order}" if alike and self.ordered else ""),
            )

    def _components(self) -> Iterator[Finding]:
        """Whether, where something is wrong, a component may be one too many."""
        weights = self.labelled.loc[self.labelled.index.str.startswith("weights["), "mean"]
        if len(weights) > 1 and weights.min() < HARDLY_THERE:
            yield Finding(
                f"The smallest component has {percent(weights.min())} of the weight "
                f"(`{weights.idxmin()}`).",
                "Fewer components may do: `stanmix.sweep` compares numbers of them.",
            )

    @property
    def _other_order(self) -> str:
        """What to try where components cross."""
        if not self.ordered:
            return "Draw more."
        return (
            f"Draw more; if that does not help, {listing(self.ordered)} may not tell components "
            "apart: order another parameter (`order=`), or none, with `relabel()`."
        )

    def __repr__(self) -> str:
        if self.problems:
            return "\n".join(self.problems)
        name, r_hat = _worst(self.labelled)
        ess = self.labelled["ess_bulk"].min()
        return (
            f"No problems found: no divergent draws, R-hat at most {r_hat:.3f} ({name}), "
            f"bulk ESS at least {ess:.0f} of {self.draws} draws."
        )


def _stuck(table: pd.DataFrame) -> str:
    """An element without R-hat, but for what is 1 or 0 by definition.

    The probability of a single component, moves that are not allowed, the coefficients of those
    that others are compared with.
    """
    certain = table["mean"].isin([0.0, 1.0]) & (table["sd"] == 0.0)
    stuck = table.index[table["r_hat"].isna() & ~certain]
    return str(stuck[0]) if len(stuck) else ""


def _worst(table: pd.DataFrame) -> tuple[str, float]:
    """The element with the largest R-hat, of those that have one."""
    r_hat = table["r_hat"].dropna()
    return (str(r_hat.idxmax()), float(r_hat.max())) if len(r_hat) else ("", 1.0)


def diagnose(
    spec: ModelSpec, draws: xr.DataTree, invariants: Mapping[str, xr.DataArray]
) -> Diagnosis:
    """The diagnosis of draws.

    Parameters
    ----------
    spec
        The model.
    draws
        The draws of a fit.
    invariants
        Quantities that do not depend on labels, (chain, draw, ...) each.

    Returns
    -------
    Diagnosis
        Tables, counts, and in words what is wrong.
    """
    stats = draws["sample_stats"].to_dataset()
    energy = stats["energy"].values
    steps = np.sum(np.diff(energy, axis=1) ** 2, axis=1)
    spread = np.sum((energy - energy.mean(axis=1, keepdims=True)) ** 2, axis=1)
    bfmi = np.divide(steps, spread, out=np.full(len(spread), np.nan), where=spread > 0)
    parts = [summarise(values.to_dataset(name=name)) for name, values in invariants.items()]
    return Diagnosis(
        invariant=pd.concat(parts),
        labelled=summarise(draws["posterior"].to_dataset()),
        divergent=int(stats["diverging"].sum()),
        saturated=int(stats["reached_max_treedepth"].sum()),
        draws=int(stats["diverging"].size),
        bfmi=tuple(float(v) for v in bfmi),
        adapt_delta=float(stats.attrs["adapt_delta"]),
        switching=spec.labels_may_switch,
        renumbered=can_be_renumbered(spec),
        ordered=spec.ordered,
    )


def warn_of(diagnosis: Diagnosis) -> None:
    """Warn of what leaves the draws unfit for use."""
    if diagnosis.serious:
        text = " ".join(diagnosis.serious)
        warn(f"{text} `diagnose()` says more.", ConvergenceWarning)
