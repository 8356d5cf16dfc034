"""The examples that a recipe names, built in or uploaded."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.core.settings import get_settings
from app.core.store import Store
from app.services import datasets
from app.services.datasets import Files
from models.spec.data import DataSpec

if TYPE_CHECKING:  # torch takes seconds to import
    from worker.training.data import Data, Split


def load(spec: DataSpec, split: "Split", beat: Callable[[], None]) -> "Data":
    """`beat` is called now and then while an upload is prepared. Raises DatasetMissing, NoRoom."""
    from worker.training.data import DatasetMissing

    files = datasets.files(spec.dataset)
    store = Store(get_settings().artifacts)
    for path in () if files is None else (files.archive, files.index):
        if (how := store.flaw(path.name)) is not None:
            raise DatasetMissing(f"A file of '{spec.dataset}' is {how}. Upload it again under another name.")
    return read(spec, split, files, beat)


def read(spec: DataSpec, split: "Split", files: Files | None, beat: Callable[[], None]) -> "Data":
    """As `load`, of `files` where the dataset was uploaded; without the database."""
    from worker.training import data
    from worker.training.uploads import Upload, load_upload

    settings = get_settings()
    if files is None or spec.kind == "points" or spec.kind == "sequences":
        return data.load(spec, settings.data, split, downloads=settings.home / "data")
    if split != "train":
        raise data.DatasetMissing(f"The uploaded dataset '{spec.dataset}' has no {split} split; use the whole set.")
    return load_upload(spec, Upload(files.archive, files.index, settings.prepared, beat))
