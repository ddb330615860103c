"""stanmix: Bayesian mixtures and hidden Markov models from one formula, on Stan."""

from stanmix import distributions
from stanmix.api import fit, simulate
from stanmix.comparison import compare
from stanmix.conformance import check_family
from stanmix.elpd import Elpd
from stanmix.errors import (
    ConvergenceWarning,
    DataError,
    EngineError,
    FormulaError,
    IdentifiabilityWarning,
    SamplingError,
    SpecError,
    StanmixError,
)
from stanmix.evidence import Evidence
from stanmix.families import Collapse, Column, Family, Param
from stanmix.fit import Fit
from stanmix.fits import Fits
from stanmix.judging.bayesflow import Bridge, to_bayesflow
from stanmix.judging.c2st import C2ST, c2st
from stanmix.judging.distances import distances
from stanmix.judging.mmd import MMD, mmd
from stanmix.judging.psis import Corrected, psis
from stanmix.judging.recovery import Recovery, recovery
from stanmix.judging.sbc import Calibration, sbc
from stanmix.judging.verdict import Verdict, referee
from stanmix.many import fit_many
from stanmix.model import Model, model
from stanmix.modes import Modes
from stanmix.simulation import Simulated
from stanmix.storage import load
from stanmix.sweeps import Sweep, sweep

__all__ = [
    "C2ST",
    "MMD",
    "Bridge",
    "Calibration",
    "Collapse",
    "Column",
    "ConvergenceWarning",
    "Corrected",
    "DataError",
    "Elpd",
    "EngineError",
    "Evidence",
    "Family",
    "Fit",
    "Fits",
    "FormulaError",
    "IdentifiabilityWarning",
    "Model",
    "Modes",
    "Param",
    "Recovery",
    "SamplingError",
    "Simulated",
    "SpecError",
    "StanmixError",
    "Sweep",
    "Verdict",
    "c2st",
    "check_family",
    "compare",
    "distances",
    "distributions",
    "fit",
    "fit_many",
    "load",
    "mmd",
    "model",
    "psis",
    "recovery",
    "referee",
    "sbc",
    "simulate",
    "sweep",
    "to_bayesflow",
]
