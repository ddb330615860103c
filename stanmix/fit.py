"""`Fit`: draws from a posterior, and the questions one may ask of them.

No question changes the fit. Each is answered from stored draws: the program is evaluated at them
again, on the data of the fit or on new data, and the latent states follow by array algebra.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from stanmix import criteria, crossvalidation, labels, sensitivity, storage
from stanmix.diagnostics import Diagnosis, diagnose, summarise
from stanmix.engines import engine as find_engine
from stanmix.engines.base import Engine
from stanmix.questions import checks, contrasts, effects, paths, prediction, residuals, states
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
        lines = [
            self.model.spec.formula,
            f"{sizes['chain']} chains of {sizes['draw']} draws by {self.engine}, "
            f"seed {self.draws['sample_stats'].attrs['seed']}; {diverging} divergent",
            "",
            self.summary().to_string(float_format=lambda v: f"{v:.3g}"),
        ]
        return "\n".join([*lines, *(f"\nNote: {note}" for note in self.model.spec.notes)])

    # What the draws say of the parameters, and of themselves.

    def summary(self) -> pd.DataFrame:
        """Posterior summary, one element of a parameter a row.

        Returns
        -------
        DataFrame
            `mean`, `sd`, `q2.5`, `median`, `q97.5`, `mcse` of the mean, `ess_bulk`, `ess_tail`,
            `r_hat` (rank-normalised split; Vehtari et al. 2021).
        """
        return summarise(self.draws["posterior"].to_dataset())

    def diagnose(self) -> Diagnosis:
        """What the draws say about themselves, first on quantities that ignore labels.

        Returns
        -------
        Diagnosis
            R-hat, ESS, divergences, tree depths and E-BFMI; `problems` says in words what is wrong,
            `invariant` and `labelled` are tables. See `stanmix.diagnostics.Diagnosis`.
        """
        return diagnose(self.draws, invariants(self), self.model.spec.labels_may_switch)

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

    # Labels.

    relabel = labels.relabel

    # Cross-validation.

    loo = criteria.loo
    waic = criteria.waic
    kfold = crossvalidation.kfold

    # Pictures.

    def plot(self) -> ggplot:
        """The fitted components over the data.

        Returns
        -------
        ggplot
            As `stanmix.plots.components` describes it; `.save(path)` writes it.

        Raises
        ------
        SpecError
            There is no such picture of this response.
        """
        from stanmix.plots import components

        return components(self)

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
