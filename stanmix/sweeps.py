"""How many components? The same model with several numbers of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stanmix.comparison import compare
from stanmix.elpd import Elpd
from stanmix.errors import SpecError, StanmixWarning, warn
from stanmix.families import Family
from stanmix.fit import Fit
from stanmix.language.options import with_count
from stanmix.language.syntax import format_formula, parse
from stanmix.model import build, model

if TYPE_CHECKING:
    from plotnine import ggplot


@dataclass(frozen=True, repr=False, eq=False)
class Sweep:
    """Fits of a model with several numbers of components or states.

    Parameters
    ----------
    fits
        The fits, by number.
    criteria
        What `Fit.loo` says of each.
    """

    fits: Mapping[int, Fit]
    criteria: Mapping[int, Elpd]

    @property
    def table(self) -> pd.DataFrame:
        """What `stanmix.compare` says of all, in the order of their numbers, as `K`."""
        return compare(self.criteria).rename_axis("K").sort_index()

    def plot(self) -> ggplot:
        """The predictive density by number, with standard errors of the differences to the best.

        Returns
        -------
        ggplot
            As `stanmix.plots.sweep` describes it.
        """
        from stanmix.plots import sweep as picture

        return picture(self)

    def __repr__(self) -> str:
        table = self.table
        return f"{table.attrs['question']}\n\n{table.to_string(float_format=lambda v: f'{v:.3g}')}"


def sweep(
    formula: str,
    data: Any,
    *,
    K: Iterable[int] = range(1, 7),
    kind: str | None = None,
    refit: bool = False,
    priors: Mapping[str, str] | None = None,
    families: Sequence[Family] = (),
    **options: Any,
) -> Sweep:
    """Fit a model with several numbers of components or states, and compare them.

    The number is data of a program, so one compilation serves all.

    Parameters
    ----------
    formula
        A model line whose components are alike; a number it gives is replaced.
    data, priors, families
        As for `stanmix.fit`.
    K
        The numbers.
    kind, refit
        What is left out to compare them, and whether to fit again where importance sampling fails:
        as in `Fit.loo`.
    **options
        As for `stanmix.fit`: `engine`, `chains`, `seed`, ....

    Returns
    -------
    Sweep
        The fits, and a table of them.

    Raises
    ------
    SpecError
        `K` holds fewer than two numbers, or one that is none from 1 on; the formula lists its
        components.
    FormulaError, DataError, EngineError, SamplingError
        As `stanmix.fit`.

    Warns
    -----
    ConvergenceWarning, IdentifiabilityWarning
        As `stanmix.fit` and `Fit.loo`, with the number before it.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> found = sm.sweep("y ~ mix(normal)", {"y": y}, K=[1, 2], engine="stanli", seed=1)
    >>> int(found.table["elpd"].idxmax())
    2
    """
    if not isinstance(K, Iterable):
        raise SpecError(f"`K` holds numbers of components, as in range(1, 7), and is not {K!r}.")
    numbers = sorted({_number(k) for k in K})
    if len(numbers) < 2:
        raise SpecError("`K` must hold two numbers of components or more.")
    tree, fits, criteria = parse(formula), {}, {}
    # All mistakes are found before anything is drawn.
    formulas = {k: format_formula(with_count(tree, k)) for k in numbers}
    for text in formulas.values():
        build(text, data, priors, families)
    for k, text in formulas.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fits[k] = model(text, data, priors=priors, families=families).fit(**options)
            criteria[k] = fits[k].loo(kind, refit=refit)
        for warning in caught:
            if issubclass(warning.category, StanmixWarning):
                warn(f"K = {k}: {warning.message}", warning.category)
    return Sweep(fits, criteria)


def _number(k: Any) -> int:
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise SpecError(f"`K` must hold whole numbers from 1 on, not {k!r}.")
    return int(k)
