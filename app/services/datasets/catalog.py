"""Look up built-in and uploaded datasets, their files and their classes.

An upload cannot take the name of a built-in dataset. If a later version adds a built-in dataset under the name of an
upload, the name still means the upload, because existing jobs and recipes mean it.
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
class CatalogEntry:
    """A dataset; if it was uploaded, with its report and the sha256 of its contact sheet."""

    info: DatasetInfo
    report: Report | None = None
    sheet_sha256: str | None = None


@dataclass(frozen=True)
class DatasetFiles:
    """The files of an uploaded dataset in the store."""

    archive: Path
    index: Path


def all_datasets() -> dict[str, DatasetInfo]:
    """Return all datasets by name."""
    with unit_of_work(read_only=True) as session:
        uploaded = [_info(stored) for stored in rows.infos(session)]
    return DATASETS | {info.name: info for info in uploaded}


def find(name: str) -> CatalogEntry:
    """Return the dataset. Raises NotFound with the nearest name."""
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, name)
        if row is not None:
            return CatalogEntry(_info(row.info), _REPORT.validate_python(row.report), row.sheet_sha256)
    if name in DATASETS:
        return CatalogEntry(DATASETS[name])
    raise not_found(name)


def not_found(name: str) -> NotFound:
    """Return the error that there is no such dataset, with the nearest name."""
    return NotFound(unknown(name, all_datasets(), f"There is no dataset '{name[:80]}'"), code="no_dataset")


def files(name: str) -> DatasetFiles | None:
    """Return the files of an uploaded dataset; None for any other name."""
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, name)
        if row is None:
            return None
        store = Store(get_settings().artifacts)
        return DatasetFiles(store.path(row.archive_sha256), store.path(row.index_sha256))


def require_free(name: str) -> None:
    """Raise Conflict if there is a dataset of that name."""
    if name in all_datasets():
        raise _taken(name)


def add(info: DatasetInfo, report: Report, **sha256s: str) -> None:
    """Add an uploaded dataset, whose files are in the store already. Raises NoRoom, and Conflict if the name is taken.

    `sha256s` are the columns archive_sha256, index_sha256 and sheet_sha256.
    """
    with unit_of_work() as session:
        admission.admit(session, stored=report.archive_bytes)
        if not rows.add(session, name=info.name, info=asdict(info), report=asdict(report), **sha256s):
            raise _taken(info.name)


def delete(name: str) -> None:
    """Delete an uploaded dataset that no job and no model uses. Raises NotFound, Conflict.

    The next garbage sweep removes its files, unless another row references them.
    """
    with unit_of_work() as session:
        if rows.find(session, name, lock=True) is None:
            if name in DATASETS:
                raise Conflict(f"'{name}' is built in and cannot be deleted.", code="dataset_built_in")
            raise not_found(name)
        if (job := rows.job_on(session, name)) is not None:
            raise _in_use(name, f"job {job}", "the job")
        if (model := rows.model_of(session, name)) is not None:
            raise _in_use(name, f"the model {model[0]}@{model[1]}", "the model")
        rows.remove(session, name)


def delete_stale_files(older_than_s: float) -> None:
    """Remove old files of unfinished uploads, and old prepared pictures of deleted datasets."""
    settings = get_settings()
    old = [*old_entries(settings.incoming, older_than_s), *old_entries(settings.prepared, older_than_s)]
    with unit_of_work(read_only=True) as session:
        prefixes = {prepared_prefix(*sha256s) for sha256s in rows.files(session)}
    for path in old:
        if not any(path.name.startswith(prefix) for prefix in prefixes):
            path.unlink(missing_ok=True)


def class_names(recipe: Recipe, datasets: Mapping[str, DatasetInfo] = DATASETS) -> tuple[str, ...]:
    """Return the names of the recipe's classes; their numbers if the dataset does not name them."""
    info = datasets.get(recipe.data.dataset)
    if info is not None and info.classes == recipe.classes:
        return info.class_names
    return tuple(str(number) for number in range(recipe.classes))


def class_number(names: tuple[str, ...], wanted: int | str, pointer: str = "/class", other: str = ", or each") -> int:
    """Return the number of the class `wanted`: its number, or text: a name, in upper or lower case, or else a number.

    Raises Invalid at `pointer`, naming the allowed values; `other` is text for more of them.
    """
    folded, text = [_normalised(name) for name in names], str(wanted)
    if isinstance(wanted, str) and _normalised(text) in folded:
        return folded.index(_normalised(text))
    if text.isascii() and text.isdecimal() and int(text) < len(names):
        return int(text)
    named = "" if names == tuple(map(str, range(len(names)))) else f" ({listed(names)})"
    similar = nearest(text, names)
    hint = f"; did you mean '{similar}'? Ask" if similar else "; ask"
    sentence = f"There is no class '{text[:80]}'{hint} for 0 to {len(names) - 1}{named}{other}."
    raise Invalid(sentence, code="no_such_class", errors=(FieldError(pointer, sentence),))


def _normalised(name: str) -> str:
    """Return the name without differences in case and in the encoding of accents."""
    return unicodedata.normalize("NFC", name).casefold()


def _info(stored: Mapping[str, Any]) -> DatasetInfo:
    return DatasetInfo(**{**stored, "class_names": tuple(stored["class_names"])})


def _taken(name: str) -> Conflict:
    sentence = (
        f"There is a dataset '{name}' already, and datasets cannot be changed. Choose another name, or delete it first."
    )
    return Conflict(sentence, code="dataset_exists", errors=(FieldError("/name", sentence),))


def _in_use(name: str, user: str, user_kind: str) -> Conflict:
    return Conflict(f"'{name}' is used by {user}. Delete {user_kind} first.", code="dataset_in_use")
