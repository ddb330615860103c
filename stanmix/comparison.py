"""Comparing models by how well they predict what they have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stanmix.elpd import Elpd, summed
from stanmix.errors import SpecError
from stanmix.fit import Fit
from stanmix.questions.asking import Block, ask
from stanmix.questions.states import state_probabilities
from stanmix.stacking import stacking_weights

Array = NDArray[np.float64]


def compare(models: Mapping[Any, Fit | Elpd], *, kind: str | None = None) -> pd.DataFrame:
    """Compare models of the same data by cross-validation.

    Parameters
    ----------
    models
        Fits by name, whose `loo()` is taken; or what `loo`, `kfold` or `waic` returned.
    kind
        What is left out, as in `Fit.loo`; not for what is no fit.

    Returns
    -------
    DataFrame
        A row for each model, the best first: `elpd` with its standard error `se`; `elpd_diff`, by
        how much it is worse than the best, and `se_diff`; the stacking `weight`, its share in the
        average of all models that predicts best; the effective number of parameters `p`; the
        number `bad_k` of terms that are not to be trusted; and `smallest`, the weight of the
        smallest component, on average over rows and draws (of a hidden Markov model, the share of
        rows in the rarest state). `attrs["question"]` says what is predicted from what.

    Raises
    ------
    SpecError
        There are fewer than two models, they are of different data, or their terms of different
        kinds.

    Warns
    -----
    ConvergenceWarning
        As `Fit.loo`.

    Notes
    -----
    Differences below 4 are small, and the standard error is too small where there are fewer than
    about 100 terms or models are alike. Leave-one-out does not find out how many components there
    are as data grow: more of them than needed cost it little, which is why `smallest` is there.

    Examples
    --------
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> options = {"engine": "stanli", "seed": 1}
    >>> one = sm.fit("y ~ mix(normal, K=1)", {"y": y}, **options)
    >>> two = sm.fit("y ~ mix(normal, K=2)", {"y": y}, **options)
    >>> sm.compare({"one": one, "two": two}).index[0]
    'two'
    """
    if not isinstance(models, Mapping) or len(models) < 2:
        raise SpecError("`compare` needs a mapping of two models or more: {'a': fit, 'b': other}.")
    for name, given in models.items():
        if not isinstance(given, Fit | Elpd):
            raise SpecError(
                f"{name!r} is {type(given).__name__}, and neither a fit nor its `loo()`."
            )
    found = {n: m.loo(kind) if isinstance(m, Fit) else m for n, m in models.items()}
    _require_comparable(found)
    best = max(found, key=lambda name: found[name].elpd)
    rows = []
    for name, model in found.items():
        off = model.terms[["elpd", "lpd"]] - found[best].terms[["elpd", "lpd"]]
        diff = summed(off["elpd"], off["lpd"], model.terms["count"])
        rows.append(
            {
                "elpd": model.elpd,
                "se": model.se,
                "elpd_diff": diff.value,
                "se_diff": float(np.hypot(diff.se, diff.chance)) if name != best else 0.0,
                "p": model.p,
                "bad_k": len(model.bad),
                "smallest": smallest(model.fit),
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(found, name="model"))
    table.insert(4, "weight", stacking_weights(found))
    table = table.sort_values("elpd", ascending=False)
    table.attrs["question"] = found[best].question
    return table


def smallest(fit: Fit) -> float:
    """The weight of the smallest component, or share of rows in the rarest state, over draws."""
    spec = fit.model.spec
    if spec.kind == "mix" and not spec.varies("weights"):
        return float(fit.draws["posterior"]["weights"].min("state").mean())

    def shares(block: Block) -> Array:
        return block.weights if spec.kind == "mix" else state_probabilities(block)

    least = [shares(block).mean(axis=1).min(axis=1) for block in ask(fit).blocks()]
    return float(np.concatenate(least).mean())


def _require_comparable(found: Mapping[Any, Elpd]) -> None:
    """Refuse models whose terms are not densities of the same things."""
    (first, one), *others = found.items()
    for name, other in others:
        if (one.kind == "future") != (other.kind == "future") or not _same_parts(one, other):
            raise SpecError(
                f"Terms of {first!r} and {name!r} are of different kinds: {one.question}, against "
                f"{other.question}."
            )
        if ("WAIC" in (one.method, other.method)) and one.method != other.method:
            raise SpecError(f"{first!r} has {one.method} and {name!r} {other.method}: take one.")
        unlike = _unlike(one, other)
        if unlike:
            raise SpecError(f"{first!r} and {name!r} are fits of different data: {unlike} differs.")
        for column, measure in _measures(one).items():
            if _measures(other)[column] != measure:
                raise SpecError(
                    f"{first!r} and {name!r} have densities of `{column}` that cannot be compared: "
                    f"{measure}, and {_measures(other)[column]}."
                )
        if one.terms["elpd"].isna().to_list() != other.terms["elpd"].isna().to_list():
            raise SpecError(f"Different terms are worked out of {first!r} and {name!r}.")


def _same_parts(one: Elpd, other: Elpd) -> bool:
    """Whether the same rows are left out together, whatever that is called."""
    if len(one.of_row) != len(other.of_row):
        # Of different data, which is said elsewhere.
        return one.kind == other.kind
    same = pd.factorize(one.of_row)[0] == pd.factorize(other.of_row)[0]
    return bool(same.all())


def _unlike(one: Elpd, other: Elpd) -> str:
    """What differs in the data of two models: a column, or which rows there are."""
    if len(one.of_row) != len(other.of_row) or len(one.terms) != len(other.terms):
        return "the number of rows"
    ours, theirs = _data(one), _data(other)
    for column in {**ours, **theirs}:
        if ours.get(column) != theirs.get(column):
            return f"`{column}`"
    return ""


def _data(model: Elpd) -> dict[str, list[Any]]:
    """What is predicted, what limits it, how often it counts, and labels; None for no value."""
    spec, table = model.fit.model.spec, model.fit.model.table
    predicted = [r for r in spec.responses if not r.addition or r.kind == "choice"]
    columns = [c for r in predicted for c in (*r.columns, *r.limits)]
    found = {}
    for name in (*columns, *(c for c in (spec.freq, spec.known) if c is not None)):
        column = table.columns[name].astype(object)
        found[name] = column.where(column.notna(), None).tolist()
    return found


def _measures(model: Elpd) -> dict[str, str]:
    """What densities of each column are of."""
    discrete = dict.fromkeys(("count", "binary", "category", "choice"), "probabilities")
    names = {**discrete, "simplex": "densities of shares"}
    return {
        column: names.get(r.kind, "densities")
        for r in model.fit.model.spec.responses
        for column in r.columns
    }
