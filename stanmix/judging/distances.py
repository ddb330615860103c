"""How far apart two sets of draws are, number by number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from stanmix.judging.compared import Compared, compared, scaled
from stanmix.named_draws import Source


def distances(
    a: Source, b: Source, *, variables: str | Iterable[str] | None = None
) -> pd.DataFrame:
    """How far apart two sets of draws are, number by number.

    Names and labels are made to agree as in `c2st`, and draws are thinned until they are about
    independent.

    Parameters
    ----------
    a, b
        The reference and what is judged, as in `c2st`.
    variables
        What is compared, as in `c2st`.

    Returns
    -------
    DataFrame
        A row for each number: `shift`, the difference of means, and `sd_ratio`, that of standard
        deviations, by the reference's; `wasserstein` and `energy` distance, in standard deviations
        of the reference; `ks`, the largest difference of distribution functions, and its `p_value`.
        The most distant by `ks` come first.

    Raises
    ------
    DataError
        As in `c2st`.

    Examples
    --------
    >>> import numpy as np
    >>> import stanmix as sm
    >>> a, b = np.random.default_rng(1).normal(size=(2, 1000, 2))
    >>> sm.distances({"x": a}, {"x": b + [0, 1]})["shift"].round(1).to_dict()
    {'x[2]': 1.0, 'x[1]': 0.0}
    """
    return apart(compared(a, b, variables))


def apart(pair: Compared) -> pd.DataFrame:
    """How far apart draws are that are matched and independent, by number; see `distances`."""
    x, y = pair.evenly()
    x, y = np.split(scaled(x, y, by=x), 2)
    rows = []
    for ours, theirs in zip(x.T, y.T, strict=True):
        ks = stats.ks_2samp(ours, theirs)
        rows.append(
            {
                "shift": theirs.mean(),
                "sd_ratio": theirs.std(),
                "wasserstein": stats.wasserstein_distance(ours, theirs),
                "energy": stats.energy_distance(ours, theirs),
                "ks": ks.statistic,
                "p_value": ks.pvalue,
            }
        )
    table = pd.DataFrame(
        rows, index=pd.Index(pair.reference.names, name="number"), dtype=np.float64
    )
    return table.sort_values("ks", ascending=False)
