"""What speaks against draws, or against the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from stanmix.errors import percent
from stanmix.fit import Fit
from stanmix.foreign import Points
from stanmix.modes import FEWER, LEAST, SURE, Search, is_rare

Side = Literal["draws", "reference", "both", "either"]


@dataclass(frozen=True)
class Suspicion:
    """What speaks against one of two posteriors.

    Parameters
    ----------
    text
        A sentence.
    side
        Which one: the `draws` that are judged, the `reference`, `both`; or `either`, if that is not
        known.
    """

    text: str
    side: Side


def of_constraints(points: Points) -> Iterator[Suspicion]:
    """Draws beyond the bounds of the model, or whose components are in another order."""
    for text, share in points.broken.items():
        about = f"{percent(share)} of the draws break a constraint: {text}."
        if text.endswith("must increase"):
            about = f"Labels of components are swapped in {percent(share)} of the draws: {text}."
        elif "must lie between" in text:
            about = f"{percent(share)} of the draws are beyond a bound of the model: {text}."
        yield Suspicion(about, "draws")


def of_reference(fit: Fit) -> Iterator[Suspicion]:
    """What the reference says against itself."""
    for finding in fit.diagnose().findings:
        if finding.serious:
            yield Suspicion(f"The reference: {finding.what}", "reference")


def of_modes(found: Search) -> Iterator[Suspicion]:
    """Modes that the reference, the draws, or both lack, by their shares and by their masses.

    Parameters
    ----------
    found
        Modes, by a search from both: the reference first, then the draws.
    """
    ours, theirs = (share.mean(axis=0) for share in found.shares)
    for place, mass in enumerate(found.modes.table["mass"]):
        own = _Mode((float(ours[place]), float(theirs[place])), found.worth, float(mass))
        yield from own.with_mass() if found.modes.trusted else own.without_mass()


@dataclass(frozen=True)
class _Mode:
    """A mode, and how much of the reference and of the draws is in it.

    Parameters
    ----------
    shares
        Of the reference's draws, and of those that are judged.
    worth
        How many independent draws each are worth.
    mass
        Its mass, by importance sampling.
    """

    shares: tuple[float, float]
    worth: tuple[float, ...]
    mass: float

    def with_mass(self) -> Iterator[Suspicion]:
        """What shares say where the mass is known."""
        ours, theirs = self.shares
        lacking = tuple(
            is_rare(s, w, self.mass) for s, w in zip(self.shares, self.worth, strict=True)
        )
        known = f"importance sampling gives it about {self.mass:.0%} of the mass"
        if lacking == (True, True):
            yield Suspicion(
                f"A mode with about {self.mass:.0%} of the mass has been found by neither: "
                "`inits=fit.modes().inits()` starts chains in it.",
                "both",
            )
        elif lacking == (False, True):
            yield Suspicion(
                f"The draws lack a mode: {ours:.0%} of the reference's draws are in it, and "
                f"{percent(theirs)} of theirs, and {known}.",
                "draws",
            )
        elif lacking == (True, False):
            yield Suspicion(
                f"The reference lacks a mode: {theirs:.0%} of the draws are in it, and "
                f"{percent(ours)} of the reference's, and {known}.",
                "reference",
            )
        elif self.mass < max(self.shares) / FEWER and self._apart:
            side: Side = "draws" if theirs > ours else "reference"
            yield Suspicion(
                f"{percent(theirs)} of the draws and {percent(ours)} of the reference's are in a "
                f"mode with little mass ({percent(self.mass)} by importance sampling).",
                side,
            )

    def without_mass(self) -> Iterator[Suspicion]:
        """What shares say where the mass is not known."""
        if self._apart:
            ours, theirs = self.shares
            yield Suspicion(
                f"{percent(theirs)} of the draws and {percent(ours)} of the reference's are in a "
                "mode of which importance sampling cannot tell the mass: either may be wrong.",
                "either",
            )

    @property
    def _apart(self) -> bool:
        """Whether one side has far more draws in it, and that is not chance."""
        if max(self.shares) < LEAST or min(self.shares) >= max(self.shares) / FEWER:
            return False
        table = [
            (round(s * w), round(w) - round(s * w))
            for s, w in zip(self.shares, self.worth, strict=True)
        ]
        return bool(stats.fisher_exact(table).pvalue < SURE)
