"""A folder of fits, one file each, from which a call that was cut off goes on.

`fit_many.json` says what the fits are of, so that no others are taken for them. A fit is written
beside its place and then moved there, so that what is there is complete; it carries a hash of its
data, so that it is taken for a fit of these alone.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from filelock import FileLock, Timeout

from stanmix.data import Table
from stanmix.engines.base import Engine, SamplerSettings
from stanmix.errors import DataError, Problem, SpecError
from stanmix.fits import Key, Row, name_of
from stanmix.spec import ModelSpec, to_json
from stanmix.storage import columns_dataset, data_groups, note_of, save

if TYPE_CHECKING:
    from stanmix.fit import Fit
    from stanmix.model import Model

DOCUMENT = "fit_many.json"
DIGITS = 9
"""Digits of means and spreads that do not hang on the order in which rows are summed."""

_LOCK = ".lock"
_MODEL = ("model", "program", "encoded")


@dataclass(frozen=True)
class FitsFolder:
    """A folder of fits of one model.

    Parameters
    ----------
    path
        The folder.
    purpose
        What its fits are of, as `purpose_of` says it; None if nobody has said so yet.
    """

    path: Path
    purpose: Mapping[str, Any] | None

    def require(self, purpose: Mapping[str, Any]) -> None:
        """Say what the fits are of, if nobody has; refuse anything else.

        Raises
        ------
        SpecError
            They are of another model, or by other settings.
        """
        if self.purpose is None:
            document = {"version": version("stanmix"), "purpose": purpose}
            target = self.path / DOCUMENT
            partial = target.with_name(target.name + ".partial")
            partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
            partial.replace(target)
            return
        text = {name: json.dumps(value) for name, value in purpose.items()}
        found = {name: json.dumps(value) for name, value in self.purpose.items()}
        differing = [name for name in text if text[name] != found.get(name)]
        if not differing:
            return
        hint = "name another folder"
        if set(differing) & set(_MODEL):
            raise SpecError(Problem(f"{str(self.path)!r} holds fits of another model.", hint=hint))
        name = differing[0]
        said = f"{str(self.path)!r} holds fits with `{name}` {found.get(name)}, not {text[name]}."
        raise SpecError(Problem(said, hint=hint))

    def place(self, key: Key) -> Path:
        """The file of the fit called `key`: named so where every system can name files so."""
        name = name_of(key)
        if not re.fullmatch(r"[a-z0-9_-]{1,60}", name):
            plain = re.sub(r"[^a-z0-9_-]+", "-", name.lower())[:40]
            name = f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        return self.path / f"{name}.nc"

    def row(self, key: Key, model: Model) -> Row | None:
        """What was noted of the fit called `key`.

        None if there is none to the data of `model`, or one of which another version of stanmix
        noted other things.
        """
        note = note_of(self.place(key))
        if not isinstance(note, dict) or note.pop("data", None) != data_hash(model):
            return None
        return Row(**note) if set(note) == {field.name for field in fields(Row)} else None

    def keep(self, key: Key, fit: Fit, row: Row) -> Path:
        """Write a fit, with what there is to say of it."""
        return save(fit, self.place(key), {"data": data_hash(fit.model), **asdict(row)})


@contextmanager
def opened(path: Any) -> Iterator[FitsFolder]:
    """A folder of fits, made if there is none, and kept from other calls meanwhile.

    Raises
    ------
    DataError
        It is no folder, or cannot be made.
    SpecError
        It holds other things, or another call is at work there.
    """
    try:
        # Whoever moves to another folder later finds the files nevertheless.
        folder = Path(path).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=0)
        lock.acquire()
    except TypeError:
        raise DataError(
            f"A folder is named by text or a path, not {type(path).__name__}."
        ) from None
    except Timeout:
        raise SpecError(f"Another call is at work in {str(folder)!r}.") from None
    except OSError as error:
        raise DataError(f"{str(path)!r} can be no folder of fits: {error.strerror}.") from None
    try:
        yield FitsFolder(folder, _purpose(folder))
    finally:
        lock.release()


def _purpose(folder: Path) -> Mapping[str, Any] | None:
    """What the fits of a folder are of; None if it is empty."""
    document = folder / DOCUMENT
    if document.is_file():
        try:
            return dict(json.loads(document.read_text("utf-8"))["purpose"])
        except (ValueError, LookupError, TypeError):
            raise SpecError(f"{str(document)!r} does not say what its folder is for.") from None
    others = {p.name for p in folder.iterdir()} - {_LOCK, f"{DOCUMENT}.partial"}
    if others:
        raise SpecError(
            Problem(f"{str(folder)!r} holds other things than fits.", hint="name an empty folder")
        )
    return None


def purpose_of(model: Model, engine: Engine, settings: SamplerSettings) -> dict[str, Any]:
    """What fits are of: the model, the engine, and the settings but for what changes no draw."""
    run = asdict(settings)
    del run["parallel_chains"]
    return {
        "model": _document(model.spec),
        "program": model.program.key,
        "encoded": _hash([_in_order(model.encoded.table)]),
        "engine": f"{engine.name} {engine.version}",
        **run,
    }


def data_hash(model: Model) -> str:
    """A hash of what a fit has of its data.

    That is the columns that it needs, with the names of the rows, and what they say of the model,
    such as the order of groups.
    """
    said = hashlib.sha256(json.dumps(_document(model.spec)).encode()).hexdigest()
    return f"{said} {_hash(data_groups(model.spec, model.table).values())}"


def _document(spec: ModelSpec) -> dict[str, Any]:
    """A specification as JSON, but for its notes, and what hangs on the order of rows.

    Sums of the same rows in another order have other last digits.
    """
    regressions = tuple(
        replace(
            regression,
            center=tuple(
                round(mean / (spread or 1.0), DIGITS) + 0.0
                for mean, spread in zip(regression.center, regression.spread, strict=True)
            ),
            spread=tuple(map(_rounded, regression.spread)),
            offset_center=_rounded(regression.offset_center),
        )
        for regression in spec.regressions
    )
    return to_json(replace(spec, regressions=regressions, notes=()))


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def _in_order(covariates: Table) -> xr.Dataset:
    """Covariates in an order of the rows that is their own, and without their names."""
    columns = columns_dataset(covariates.columns, covariates).drop_vars("obs")
    if not columns:
        return columns
    return columns.isel(obs=np.lexsort([column.values for column in columns.values()]))


def _hash(groups: Iterable[xr.Dataset]) -> str:
    found = hashlib.sha256()
    for group in groups:
        for name, variable in group.variables.items():
            values = variable.values
            if values.dtype.kind == "O":
                values = values.astype(str)
            for part in (str(name), values.dtype.str, str(values.shape)):
                found.update(f"{part}\n".encode())
            found.update(np.ascontiguousarray(values).tobytes())
            found.update(np.asarray(variable.attrs.get("missing", ()), np.int64).tobytes())
    return found.hexdigest()
