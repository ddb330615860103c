"""A report of a fit: one page of HTML with all that it needs inside."""

from __future__ import annotations

import base64
import io
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from stanmix.data import is_missing
from stanmix.errors import StanmixError, StanmixWarning, plural
from stanmix.program.resources import folder
from stanmix.storage import new_file

if TYPE_CHECKING:
    from plotnine import ggplot

    from stanmix.diagnosis import Diagnosis
    from stanmix.fit import Fit

MOST_ROWS = 200
"""Most rows of a table."""

DPI = 144
"""Dots of an inch in a picture: more than on the page, so that it is sharp on a phone as well."""

SHOWN = 96
"""Pixels of the page that an inch of a picture takes."""

WIDE = 620
"""Pixels beyond which a picture is not made smaller to fit a phone."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    tone: str = ""
    heading: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Advice:
    """Something that is wrong, and what to try."""

    what: str
    advice: str
    serious: bool
    heading: str = ""
    kind: ClassVar[str] = "finding"


@dataclass(frozen=True)
class Code:
    """Text as it is, hidden until it is asked for if `folded`."""

    text: str
    folded: bool = False
    heading: str = ""
    kind: ClassVar[str] = "code"

    @property
    def lines(self) -> int:
        """How many there are."""
        return len(self.text.splitlines())


@dataclass(frozen=True)
class Cells:
    """A table as text; columns in `named` hold names and not numbers."""

    header: list[str]
    rows: list[list[str]]
    named: list[int]
    heading: str = ""
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """A picture as PNG in base 64, and its size on the page."""

    data: str
    width: int
    height: int
    alt: str
    heading: str = ""
    kind: ClassVar[str] = "picture"

    @property
    def wide(self) -> bool:
        """Whether it would be too small to read on a phone."""
        return self.width > WIDE


Part = Text | Advice | Code | Cells | Picture


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading."""

    key: str
    title: str
    parts: list[Part]


def report(fit: Fit, path: str | os.PathLike[str], *, title: str = "Report of a fit") -> Path:
    """Write a page about the fit that needs nothing besides itself.

    What is wrong with the draws and what to try; the model, its priors and its program; the data;
    the posterior; the components or states; how well it predicts, and whether it predicts data
    like those it has seen.

    Parameters
    ----------
    path
        The file, HTML; it is replaced.
    title
        What it is called.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        `path` is a folder, or in none that exists.
    SpecError
        The draws are those of `stack`.

    Notes
    -----
    Questions that a model has no answer to are left out, with the reason. Warnings of the others
    stand on the page.

    Examples
    --------
    >>> import tempfile
    >>> import stanmix as sm
    >>> y = [-0.1, 0.2, 0.0, 0.3, -0.2, 0.1, 4.8, 5.1, 5.2, 4.9, 5.0, 5.3]
    >>> f = sm.fit("y ~ mix(normal(sigma=1), K=2)", {"y": y}, engine="stanli", chains=2, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = f.report(f"{folder}/out.html").read_text()
    >>> "No problems found" in page
    True
    """
    file = new_file(path)
    summary, diagnosis = fit.summary(), fit.diagnose()
    # Where chains disagree, each group of them has a summary of its own.
    apart = summary.index.nlevels > 1
    sections = [
        Section("verdict", "Can the draws be used?", list(_verdict(fit, diagnosis, apart))),
        Section("model", "The model", list(_model(fit))),
        Section("data", "The data", list(_data(fit))),
        Section("posterior", "The posterior", list(_posterior(fit, summary, apart))),
        Section(*_latent_title(fit), list(_latent(fit, apart))),
        Section("prediction", "Prediction", list(_prediction(fit))),
        Section("sampling", "Sampling", list(_sampling(fit, diagnosis))),
        Section("program", "The Stan program", [Code(fit.model.code, folded=True)]),
    ]
    page = _template().render(
        title=title, formula=fit.model.spec.formula, how=_how(fit), sections=sections
    )
    file.write_text(page, encoding="utf-8")
    return file


@cache
def _template() -> jinja2.Template:
    text = (folder("templates") / "report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["coded"] = _coded
    return environment.from_string(text)


def _coded(text: str) -> Markup:
    """A message whose code stands in backticks."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _how(fit: Fit) -> str:
    sizes, run = fit.draws["posterior"].sizes, fit.draws["sample_stats"].attrs
    return (
        f"{plural(sizes['chain'], 'chain')} of {plural(sizes['draw'], 'draw')} after "
        f"{run['warmup']} of warm-up, by {fit.engine}, seed {run['seed']}; "
        f"stanmix {version('stanmix')}."
    )


def _verdict(fit: Fit, diagnosis: Diagnosis, apart: bool) -> Iterator[Part]:
    if not diagnosis.findings:
        yield Text(repr(diagnosis), tone="well")
    for finding in diagnosis.findings:
        yield Advice(finding.what, finding.advice, finding.serious)
    if apart:
        yield from _answer("Modes", _modes(fit))


def _modes(fit: Fit) -> Iterator[Part]:
    yield _table(fit.modes().table.reset_index())


def _model(fit: Fit) -> Iterator[Part]:
    yield Code(fit.model.equations())
    for note in fit.model.spec.notes:
        yield Text(note)
    priors = fit.model.priors()
    yield _table(priors.loc[:, (priors != "").any()], heading="Priors", named=["prior"])


def _data(fit: Fit) -> Iterator[Part]:
    spec, table, rows = fit.model.spec, fit.model.table, fit.model.rows
    counts = [plural(table.n_rows, "row")]
    if spec.unit:
        counts.append(plural(len(rows.unit_size), "unit"))
    if spec.series:
        counts.append(f"{len(rows.starts)} series")
    yield Text(", ".join(counts) + ".")
    roles = {column: "response" for r in spec.responses for column in (*r.columns, *r.limits)}
    roles |= dict.fromkeys(spec.covariates, "covariate")
    for role in ("unit", "series", "time", "known", "freq"):
        if getattr(spec, role) is not None:
            roles.setdefault(getattr(spec, role), role)
    described = []
    for name, role in roles.items():
        column = table.columns[name]
        missing = is_missing(table, name)
        seen = column[~missing]
        line = {"column": name, "role": role, "missing": str(int(missing.sum()))}
        if pd.api.types.is_numeric_dtype(seen) and not pd.api.types.is_bool_dtype(seen):
            of = seen.astype(float)
            line |= {"mean": _number(of.mean()), "sd": _number(of.std())}
            line |= {"least": _number(of.min()), "largest": _number(of.max())}
        else:
            line["values"] = plural(seen.nunique(), "value")
        described.append(line)
    yield _table(pd.DataFrame(described).fillna(""), named=["role", "values"])


def _posterior(fit: Fit, summary: pd.DataFrame, apart: bool) -> Iterator[Part]:
    if apart:
        yield Text(
            "Chains disagree about what does not depend on labels, so each group of chains that "
            "agree has means of its own."
        )
    named = summary.rename_axis([*summary.index.names[:-1], "parameter"]).reset_index()
    yield _table(named, named=["parameter"])
    yield from _answer("Prior and posterior", _pictured(fit, "prior", "Densities"))


def _latent_title(fit: Fit) -> tuple[str, str]:
    mixture = fit.model.spec.kind == "mix"
    return ("components", "The components") if mixture else ("states", "The states")


def _latent(fit: Fit, apart: bool) -> Iterator[Part]:
    mixture = fit.model.spec.kind == "mix"
    first = [("components", "Over the data"), ("pairs", "By pairs of columns")]
    names = [("membership", "Memberships")]
    if not mixture:
        names = [("states", "Over time"), ("transition", "Moves")]
    if apart:
        yield Text("These are averages over chains that are in different modes.", tone="soft")
    columns = sum(len(r.columns) for r in fit.model.spec.responses if not r.addition)
    for name, heading in [first[columns > 2], *names]:
        yield from _answer(heading, _pictured(fit, name, heading))


def _prediction(fit: Fit) -> Iterator[Part]:
    yield from _answer("Of what is left out", _loo(fit))
    yield from _answer("Data that the model predicts, and data that it has seen", _check(fit))
    yield from _answer("", _pictured(fit, "predictive", "Predicted and seen data"))
    yield from _answer("Pseudo-residuals", _pictured(fit, "residuals", "Quantiles of residuals"))
    if fit.model.spec.kind == "hmm":
        yield from _answer("", _pictured(fit, "autocorrelation", "Autocorrelation of residuals"))


def _loo(fit: Fit) -> Iterator[Part]:
    loo = fit.loo()
    yield Code(repr(loo))
    yield _drawn(loo.plot(), "Pareto k of each term")


def _check(fit: Fit) -> Iterator[Part]:
    yield _table(fit.check().reset_index(), named=["statistic"])


def _sampling(fit: Fit, diagnosis: Diagnosis) -> Iterator[Part]:
    columns = ["r_hat", "ess_bulk", "ess_tail"]
    invariant = diagnosis.invariant[columns].rename_axis("quantity").reset_index()
    yield _table(invariant, heading="What does not depend on labels")
    yield from _answer("Traces", _pictured(fit, "trace", "Traces of parameters"))
    yield from _answer("Ranks", _pictured(fit, "ranks", "Ranks of draws by chain"))


def _answer(heading: str, question: Iterator[Part]) -> Iterator[Part]:
    """What a question says, after its warnings; or why it has no answer."""
    if heading:
        yield Text("", heading=heading)
    parts: list[Part] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            for part in question:
                parts.append(part)
        except StanmixError as error:
            parts.append(Text(str(error), tone="soft"))
    for warning in caught:
        if issubclass(warning.category, StanmixWarning):
            yield Text(str(warning.message), tone="soft")
    yield from parts


def _pictured(fit: Fit, name: str, alt: str) -> Iterator[Part]:
    yield _drawn(fit.plot(name), alt)


def _table(frame: pd.DataFrame, *, heading: str = "", named: list[str] | None = None) -> Part:
    """A table as text, of which the first column has names."""
    names = [str(name) for name in frame]
    shown = frame.iloc[:MOST_ROWS]
    rows = [[_number(cell) for cell in row] for row in shown.itertuples(index=False)]
    if len(frame) > MOST_ROWS:
        rows.append([f"... {len(frame) - MOST_ROWS} more", *[""] * (len(names) - 1)])
    places = [0, *(names.index(name) for name in named or [] if name in names)]
    return Cells(names, rows, places, heading)


def _number(cell: Any) -> str:
    """A cell as text: four digits of numbers, nothing for none."""
    if isinstance(cell, float | np.floating):
        return "" if np.isnan(cell) else f"{cell:.4g}"
    return str(cell)


def _drawn(picture: ggplot, alt: str) -> Picture:
    image = io.BytesIO()
    picture.save(image, format="png", dpi=DPI, verbose=False)
    data = image.getvalue()
    # A PNG says its size from its 17th byte on.
    width, height = (int.from_bytes(data[at : at + 4], "big") * SHOWN // DPI for at in (16, 20))
    return Picture(base64.b64encode(data).decode(), width, height, alt)
