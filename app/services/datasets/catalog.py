"""List the datasets, built in and uploaded, and name their classes.

No upload takes the name of a built-in one. Where one was built in later under the name of an upload, the upload is
meant wherever the name is looked up: it is what the jobs and recipes that are there mean.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from app.core.errors import Conflict, FieldError, Invalid, NotFound
from app.core.settings import get_settings
from app.core.store import Store, old_entries
from app.db.repositories import datasets as rows
from app.db.session import unit_of_work
from app.services.capacity import admission
from data.archive import prepared_prefix
from data.uploads.report import Report
from models.spec.datasets import DATASETS, DatasetInfo
from models.spec.recipe import Recipe
from models.spec.wording import listed, nearest, unknown

_REPORT = TypeAdapter(Report)


@dataclass(frozen=True)
class Detail:
    """A dataset; of an uploaded one also the report and the contact sheet's sha256."""

    info: DatasetInfo
    report: Report | None = None
    sheet_sha256: str | None = None


@dataclass(frozen=True)
class Files:
    """Where training finds an uploaded dataset."""

    archive: Path
    index: Path


def all_datasets() -> dict[str, DatasetInfo]:
    with unit_of_work(read_only=True) as session:
        uploaded = [_info(said) for said in rows.infos(session)]
    return DATASETS | {info.name: info for info in uploaded}


def find(name: str) -> Detail:
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, name)
        if row is not None:
            return Detail(_info(row.info), _REPORT.validate_python(row.report), row.sheet_sha256)
    if name in DATASETS:
        return Detail(DATASETS[name])
    raise absent(name)


def absent(name: str) -> NotFound:
    """The error that no dataset is called so, with the nearest name."""
    return NotFound(unknown(name, all_datasets(), f"There is no dataset '{name[:80]}'"), code="no_dataset")


def files(name: str) -> Files | None:
    """None for a dataset that was not uploaded."""
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, name)
        if row is None:
            return None
        store = Store(get_settings().artifacts)
        return Files(store.path(row.archive_sha256), store.path(row.index_sha256))


def require_free(name: str) -> None:
    """Raises Conflict where the name is taken."""
    if name in all_datasets():
        raise _taken(name)


def add(info: DatasetInfo, report: Report, **sha256s: str) -> None:
    """The files are in the store already. Raises NoRoom, and Conflict where the name was taken meanwhile."""
    with unit_of_work() as session:
        admission.admit(session, stored=report.archive_bytes)
        if not rows.add(session, name=info.name, info=asdict(info), report=asdict(report), **sha256s):
            raise _taken(info.name)


def delete(name: str) -> None:
    """Its files go with the next sweep, unless another row names them. Raises NotFound, Conflict, Invalid."""
    with unit_of_work() as session:
        if rows.find(session, name, lock=True) is None:
            if name in DATASETS:
                raise Conflict(f"'{name}' is built in and cannot be deleted.", code="dataset_built_in")
            raise absent(name)
        if (job := rows.job_on(session, name)) is not None:
            raise _in_use(name, f"job {job}", "the job")
        if (model := rows.model_of(session, name)) is not None:
            raise _in_use(name, f"the model {model[0]}@{model[1]}", "the model")
        rows.remove(session, name)


def sweep(older_than_s: float) -> None:
    """Removes what uploads left that died, and what was prepared from datasets that are no more."""
    settings = get_settings()
    old = [*old_entries(settings.incoming, older_than_s), *old_entries(settings.prepared, older_than_s)]
    with unit_of_work(read_only=True) as session:
        marks = {prepared_prefix(*sha256s) for sha256s in rows.files(session)}
    for path in old:
        if not any(path.name.startswith(own) for own in marks):
            path.unlink(missing_ok=True)


def class_names(recipe: Recipe, known: Mapping[str, DatasetInfo] = DATASETS) -> tuple[str, ...]:
    """One name per class that can be asked for; their numbers where the dataset has no names."""
    info = known.get(recipe.data.dataset)
    if info is not None and info.classes == recipe.classes:
        return info.class_names
    return tuple(str(number) for number in range(recipe.classes))


def class_number(names: tuple[str, ...], wanted: str, pointer: str = "/class", other: str = ", or each") -> int:
    """`wanted` is a name, in any case, or a number; where both could be meant it is the name.

    Raises Invalid naming what is allowed; `other` is what is allowed besides.
    """
    folded = [_folded(name) for name in names]
    if _folded(wanted) in folded:
        return folded.index(_folded(wanted))
    if wanted.isascii() and wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    named = "" if names == tuple(map(str, range(len(names)))) else f" ({listed(names)})"
    meant = nearest(wanted, names)
    near = f"; did you mean '{meant}'? Ask" if meant else "; ask"
    sentence = f"There is no class '{wanted[:80]}'{near} for 0 to {len(names) - 1}{named}{other}."
    raise Invalid(sentence, code="no_such_class", errors=(FieldError(pointer, sentence),))


def _folded(name: str) -> str:
    """Without regard to capitals, and to how accents are written."""
    return unicodedata.normalize("NFC", name).casefold()


def _info(said: Mapping[str, Any]) -> DatasetInfo:
    return DatasetInfo(**{**said, "class_names": tuple(said["class_names"])})


def _taken(name: str) -> Conflict:
    sentence = (
        f"There is a dataset '{name}' already, and datasets do not change. Choose another name, or delete it first."
    )
    return Conflict(sentence, code="dataset_exists", errors=(FieldError("/name", sentence),))


def _in_use(name: str, user: str, what: str) -> Conflict:
    return Conflict(f"'{name}' is needed by {user}. Delete {what} first.", code="dataset_in_use")
