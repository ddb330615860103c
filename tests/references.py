"""The reference posteriors, and how a fit is compared with one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stanmix import Fit
from tests.cases import CASE_3, CASE_3_FORMULA

PARTICIPANTS = "ABCDEF"


@dataclass(frozen=True)
class Reference:
    """A model, its data, and the summary of an independent sampler.

    `summary` is indexed by the names of a fit's own summary, with columns `mean`, `sd`, `mcse` and
    `ess`.
    """

    formula: str
    data: pd.DataFrame
    priors: dict[str, str]
    summary: pd.DataFrame


def participant(folder: Path, letter: str) -> Reference:
    """Case 3: the first 400 trials of one participant."""
    data = pd.read_csv(folder / f"dutilh/dutilh_2010_subject_{letter}.csv").iloc[:400]
    table = pd.read_csv(folder / "dutilh/posterior_A-F.csv")
    names = {
        "rho_11": "transition[1, 1]",
        "rho_22": "transition[2, 2]",
        "alpha_1": "threshold[1]",
        "alpha_2": "threshold[2]",
        "nu_1": "drift_1",
        "nu_21": "drift_2[1]",
        "nu_22": "drift_2[2]",
        "tau": "ndt",
    }
    rows = table[table["participant"] == letter].set_index("parameter")
    data = data.assign(choice=3 - data["accumulator"])
    return Reference(CASE_3_FORMULA, data, CASE_3, rows.rename(index=names))


def low_dim_gauss_mix(folder: Path) -> Reference:
    """Posteriordb's mixture of two normals."""
    priors = {"mu": "normal(0, 2)", "sigma": "normal(0, 2)", "weights": "dirichlet(5)"}
    data, summary = _posteriordb(folder, "low_dim_gauss_mix-low_dim_gauss_mix")
    return Reference(
        "y ~ mix(normal, K=2)", data, priors, summary.rename(index={"theta": "weights[1]"})
    )


def hmm_drive_0(folder: Path) -> Reference:
    """Posteriordb's hidden Markov model with two exponential responses."""
    names = {
        "theta1[1]": "transition[1, 1]",
        "theta1[2]": "transition[1, 2]",
        "theta2[1]": "transition[2, 1]",
        "theta2[2]": "transition[2, 2]",
        "phi[1]": "rate_u[1]",
        "phi[2]": "rate_u[2]",
        "lambda[1]": "rate_v[1]",
        "lambda[2]": "rate_v[2]",
    }
    priors = {
        "rate_u[1]": "normal(0, 1)",
        "rate_v[1]": "normal(0, 1)",
        "rate_u[2]": "normal(3, 1)",
        "rate_v[2]": "normal(3, 1)",
        "transition[1]": "dirichlet(4, 2)",
        "transition[2]": "dirichlet(2, 4)",
    }
    data, summary = _posteriordb(folder, "bball_drive_event_0-hmm_drive_0")
    formula = (
        "cbind(u, v) ~ hmm(exponential & exponential, states=2, order=c(rate_u, rate_v), "
        "initial=uniform)"
    )
    return Reference(formula, data, priors, summary.rename(index=names))


def _posteriordb(folder: Path, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    document = json.loads((folder / "posteriordb" / name / "data.json").read_text())
    columns = {key: value for key, value in document.items() if isinstance(value, list)}
    rows = {k: v for k, v in columns.items() if len(v) == document["N"]}
    summary = pd.read_csv(folder / "posteriordb" / name / "reference_summary.csv")
    return pd.DataFrame(rows), summary.set_index("parameter").rename(columns={"mcse_mean": "mcse"})


def deviations(fit: Fit, reference: Reference) -> pd.DataFrame:
    """Differences of means and sds in combined Monte Carlo errors, by parameter.

    The error of an sd is sd / sqrt(2 ESS), that of a normal distribution.
    """
    ours = fit.summary().loc[reference.summary.index]
    theirs = reference.summary
    error = np.hypot(ours["mcse"], theirs["mcse"])
    sd_error = np.hypot(
        ours["sd"] / np.sqrt(2 * ours["ess_bulk"]), theirs["sd"] / np.sqrt(2 * theirs["ess"])
    )
    return pd.DataFrame(
        {
            "mean": (ours["mean"] - theirs["mean"]) / error,
            "sd": (ours["sd"] - theirs["sd"]) / sd_error,
        }
    )


def require_agreement(fit: Fit, reference: Reference) -> None:
    """The fit agrees with the reference within 4 combined Monte Carlo errors, and has mixed."""
    apart = deviations(fit, reference)
    assert apart.abs().max(axis=None) < 4, apart
    summary = fit.summary()
    assert summary["r_hat"].max() < 1.01, summary
    assert summary["ess_bulk"].min() >= 1000, summary
    assert int(fit.draws["sample_stats"]["diverging"].sum()) <= 4
