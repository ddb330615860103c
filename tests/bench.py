"""Cost of one gradient beside programs that a careful user wrote by hand (`make bench`).

Each pair is timed in turns within one run, so that the ratios hold on a noisy machine.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import stanli

import stanmix as sm
from tests.cases import CASE_3, CASE_3_FORMULA

SHARED = Path(
    os.environ.get("STANMIX_REFERENCE", Path(__file__).resolve().parents[2] / "shared/reference")
).parent
LIMIT = 1.15
ROUNDS, CALLS = 15, 200


def gradients(code: str, data: dict[str, Any]) -> Any:
    """A function that times `CALLS` gradients of a program, in seconds a call."""
    model = stanli.Model(stan_code=code, data=data)
    point = np.random.default_rng(1).normal(0, 0.1, model.n_unconstrained)

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(CALLS):
            model.log_prob_grad(point)
        return (time.perf_counter() - start) / CALLS

    return timed


def ratio(ours: Any, others: list[Any]) -> tuple[float, float, float]:
    """Our time, the best other time, and the median over rounds of their ratio."""
    ours()
    rounds = [(ours(), [other() for other in others]) for _ in range(ROUNDS)]
    mine = [m for m, _ in rounds]
    best = int(np.argmin(np.median([o for _, o in rounds], axis=0)))
    theirs = [o[best] for _, o in rounds]
    ratios = np.divide(mine, theirs)
    return float(np.median(mine)), float(np.median(theirs)), float(np.median(ratios))


def main() -> int:
    """Print the ratios; 1 if one is above the limit."""
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.normal(m, 1, n) for m, n in ((-3, 300), (0, 400), (3, 300))])
    mixture = sm.model(
        "y ~ mix(normal, K=3)", {"y": y}, priors={"sigma": "lognormal(0, 2)", "mu": "normal(0, 10)"}
    )
    trials = pd.read_csv(SHARED / "reference/dutilh/dutilh_2010_subject_C.csv").iloc[:400]
    trials["choice"] = 3 - trials["accumulator"]
    switches = sm.model(CASE_3_FORMULA, trials, priors=CASE_3)
    own = {"N": len(trials), "rt": trials["rt"].to_numpy(), "choice": trials["choice"].to_numpy()}
    pairs = [
        ("normal mixture, K=3, N=1000", mixture, ["mix_vectorised"], {"N": 1000, "K": 3, "y": y}),
        ("case 3, participant C", switches, ["case3_loop", "case3_scaled"], own),
    ]
    worst = 0.0
    for title, model, names, data in pairs:
        others = [gradients((SHARED / f"bench/{n}.stan").read_text(), data) for n in names]
        mine, best, share = ratio(gradients(model.code, dict(model.data)), others)
        print(f"{title}: {mine * 1e6:.0f} us, by hand {best * 1e6:.0f} us, ratio {share:.2f}")
        worst = max(worst, share)
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
