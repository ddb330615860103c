"""`Fit`: draws from a posterior, and the questions one may ask of them.

No question changes the fit. Each is answered from stored draws: the program is evaluated at them
again, on the data of the fit or on new data, and the latent states follow by array algebra.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from stanmix import (
    criteria,
    crossvalidation,
    evidence,
    labels,
    modes,
    report,
    sensitivity,
    stacking,
    storage,
)
from stanmix.diagnosis import Diagnosis, diagnose
from stanmix.diagnostics import agreeing, summarise
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Engine
from stanmix.errors import SpecError, plural
from stanmix.questions import (
    checks,
    contrasts,
    effects,
    fitted,
    paths,
    prediction,
    residuals,
    states,
)
from stanmix.questions.invariants import invariants

if TYPE_CHECKING:
    from plotnine import ggplot

    from stanmix.model import Model


@dataclass(frozen=True, repr=False, eq=False)
class Fit:
    """Draws from the posterior of a model.

    Parameters
    ----------
    model
        The model and its data.
    draws
        The groups `posterior`, `sample_stats`, `observed_data` and `constant_data`, and `sampled`
        for what the program samples where the posterior names something else. The attributes of
        `sample_stats` say how the sampler was run, its seed included.
    engine
        Name and version of the engine that sampled.
    asked
        The engine that answers questions.
    """

    model: Model
    draws: xr.DataTree
    engine: str
    asked: str | Engine = "stanli"

    def __repr__(self) -> str:
        sizes = self.draws["posterior"].sizes
        diverging = int(self.draws["sample_stats"]["diverging"].sum())
        run = self.draws["sample_stats"].attrs
        # Of draws that were given it is not known how they came to be.
        how = "" if "given" in run else f", seed {run['seed']}; {diverging} divergent"
        lines = [
            self.model.spec.formula,
            f"{plural(sizes['chain'], 'chain')} of {plural(sizes['draw'], 'draw')} by "
            f"{self.engine}{how}",
            "",
            (summary := self.summary()).to_string(float_format=lambda v: f"{v:.3g}"),
        ]
        notes = list(self.model.spec.notes)
        if stacking.is_stacked(self):
            notes.append("These are stacked draws of chains in different modes, no posterior.")
        if summary.index.nlevels > 1:
            notes.append(
                "Chains disagree about what does not depend on labels, so there are no means over "
                "all of them; see `diagnose()`."
            )
        return "\n".join([*lines, *(f"\nNote: {note}" for note in notes)])

    # What the draws say of the parameters, and of themselves.

    def summary(self) -> pd.DataFrame:
        """Posterior summary, one element of a parameter a row.

        Where chains disagree about what does not depend on labels, means over all of them say
        nothing of any mode: then there are none, and each group of chains that agree has its own.

        Returns
        -------
        DataFrame
            `mean`, `sd`, `q2.5`, `median`, `q97.5`, `mcse` of the mean, `ess_bulk`, `ess_tail`,
            `r_hat` (rank-normalised split; Vehtari et al. 2021). Where chains disagree, `chains`
            comes before the name of the element in the index.
        """
        posterior = self.draws["posterior"].to_dataset()
        groups = agreeing(self.invariants)
        if len(groups) == 1:
            return summarise(posterior)
        chains = posterior["chain"].values
        parts = {
            ", ".join(str(chain) for chain in chains[list(group)]): posterior.isel(
                chain=list(group)
            )
            for group in groups
        }
        tables = {name: summarise(part) for name, part in parts.items()}
        return pd.concat(tables, names=["chains", None])

    def diagnose(self) -> Diagnosis:
        """What the draws say about themselves, first on quantities that ignore labels.

        Returns
        -------
        Diagnosis
            R-hat, ESS, divergences, tree depths and E-BFMI; `problems` says in words what is wrong
            and what to try, `invariant` and `labelled` are tables. See
            `stanmix.diagnosis.Diagnosis`.

        Raises
        ------
        SpecError
            The draws are those of `stack`, or were given.
        """
        stacking.require_posterior(self, "diagnose()")
        if "given" in self.draws["sample_stats"].attrs:
            raise SpecError(
                "These draws were given, and how they were sampled is not known; `sm.referee` "
                "judges them by a fit."
            )
        return diagnose(self.model.spec, self.draws, self.invariants)

    @cached_property
    def invariants(self) -> dict[str, xr.DataArray]:
        """What does not depend on the labels of components or states, (chain, draw) each.

        Worked out once: of many rows it takes a while.
        """
        return invariants(self)

    contrast = contrasts.contrast
    derive = contrasts.derive
    effects = effects.effects
    sensitivity = sensitivity.sensitivity

    # Latent states. Questions are functions of a fit, and so its methods.

    responsibility = states.responsibility
    membership = states.membership
    filtering = states.filtering
    backward_filtering = states.backward_filtering
    smoothing = states.smoothing
    entropy = states.entropy
    log_omega = states.log_omega
    viterbi = paths.viterbi
    sample_states = paths.sample_states
    occupancy = paths.occupancy
    dwell_times = paths.dwell_times

    # Prediction.

    predict = prediction.predict
    forecast = prediction.forecast
    residuals = residuals.residuals
    check = checks.check
    at = fitted.at

    # Labels and modes.

    relabel = labels.relabel
    modes = modes.modes
    stack = stacking.stack
    evidence = evidence.evidence

    # Cross-validation.

    loo = criteria.loo
    waic = criteria.waic
    kfold = crossvalidation.kfold

    # Pictures.

    def plot(self, /, picture: str = "components", **options: Any) -> ggplot:
        """A picture of the fit.

        Parameters
        ----------
        picture
            `components`: the fitted components over the data; `pairs`: over each two of several
            columns. `membership`: the probabilities of the components of each row. Of a hidden
            Markov model `states`: a series over time; `transition` and `transition_graph`: its
            moves. `effects`: what a covariate does, given as `covariate="x"`. `trace` and `ranks`:
            whether chains agree. `prior`: against the posterior.
            `check` and `predictive`: data that the model predicts. `residuals` and
            `autocorrelation`: whether residuals are normal, and independent.
        **options
            What the picture takes, as its function in `stanmix.plots.PICTURES` says:
            `variables="mu"`, `series="a"`, `columns=["u", "v"]`.

        Returns
        -------
        ggplot
            A picture to show, to change, or to save: `.save(path)` writes it.

        Raises
        ------
        SpecError
            There is no such picture, or none of this model; or it has no such option.

        Examples
        --------
        >>> import stanmix as sm
        >>> y = [-0.1, 0.2, 0.0, 0.3, 4.8, 5.1, 5.2, 4.9]
        >>> f = sm.fit("y ~ mix(normal, K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
        >>> picture = f.plot("trace", variables="mu")
        """
        from stanmix import plots

        return plots.picture(plots.PICTURES, self, picture, **options)

    report = report.report

    # Keeping.

    def save(self, path: str | Path) -> Path:
        """Write the fit to one netCDF file, with the model as JSON.

        Parameters
        ----------
        path
            The file; it is replaced only once the new one is complete.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        DataError
            `path` is a folder, or in none that exists.
        """
        return storage.save(self, path)

    def answered_by(self, engine: str | Engine) -> Fit:
        """The same fit, whose questions are answered by another engine.

        They are answered by `stanli` otherwise, in process, whichever engine drew.

        Parameters
        ----------
        engine
            `cmdstan`, `stanli` or `auto`, as for `stanmix.fit`.

        Returns
        -------
        Fit
            With the same draws; this one stays as it is.

        Raises
        ------
        EngineError
            There is no such engine, or it is not installed.
        """
        return replace(self, asked=find_engine(engine))
