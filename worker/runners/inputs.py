"""Load the inputs of a job: its dataset and the weights it uses."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import Invalid, UnsupportedMedia
from app.core.limits import PICTURE_CPU_S
from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.core.store import Store, sha256_of
from app.services.datasets import catalog
from app.services.datasets.catalog import DatasetFiles
from app.services.models.source_weights import SOURCE_FILE
from data.archive import MemberPart
from data.decode import Fault, UnreadablePicture
from data.levels import Pixels
from data.prepare import Preparation
from data.uploads import read_untrusted
from forger.schemas.specs import Weights
from models.errors import JobFailure
from models.spec.data import DataSpec

if TYPE_CHECKING:  # torch takes seconds to import
    from data.readers.builtin import Data, Split

BATCH_WALL_S = 300.0
"""wall-clock seconds in which one batch of pictures must be read; long, since jobs may keep the machine busy"""
BATCH_CPU_S = read_untrusted.BATCH_S + PICTURE_CPU_S


def load_data(spec: DataSpec, split: "Split", beat: Callable[[], None]) -> "Data":
    """Load a split of the dataset; call `beat` after each part. Raises DatasetMissing, NoRoom."""
    from data.readers.builtin import DatasetMissing

    files = catalog.files(spec.dataset)
    store = Store(get_settings().artifacts)
    for path in () if files is None else (files.archive, files.index):
        if (flaw := store.defect(path.name)) is not None:
            raise DatasetMissing(
                f"The files of '{spec.dataset}' are missing or damaged (one is {flaw}). "
                "Upload it again under another name."
            )
    return read_data(spec, split, files, beat)


def read_data(spec: DataSpec, split: "Split", files: DatasetFiles | None, beat: Callable[[], None]) -> "Data":
    """Load a split as `load_data` does, but without the database; `files` are those of an uploaded dataset."""
    from data.readers import builtin
    from data.readers.uploads import Upload, load_upload

    settings = get_settings()
    if files is None or spec.kind == "points" or spec.kind == "sequences":
        return builtin.load(spec, settings.data, split, downloads=settings.home / "data", heartbeat=beat)
    with closing(Sandbox(1, readable=(files.archive,))) as sandbox:
        return load_upload(
            spec, Upload(files.archive, files.index, settings.prepared, beat, SandboxedReader(sandbox)), split
        )


class SandboxedReader:
    """A reader of pictures in an untrusted archive. It decodes them in a child process with limits."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def __call__(self, archive: Path, picks: Sequence[MemberPart], how: Preparation) -> Pixels:
        archive.stat()  # raises FileNotFoundError here; the child cannot see whether a file exists
        args = archive, picks, how
        try:
            pictures: Pixels = self._sandbox.run(
                read_untrusted.batch, *args, seconds=BATCH_WALL_S, cpu_seconds=BATCH_CPU_S
            )
            return pictures
        except (Invalid, UnsupportedMedia) as error:
            raise UnreadablePicture(Fault.DAMAGED, error.detail) from error


class WeightsDamaged(JobFailure):
    """The weights that the job uses have changed since it was created."""

    code = "weights_damaged"


def verified_weights(job_id: str, weights: Weights, beat: Callable[[], None]) -> Path:
    """Return the file of the weights that the job uses; call `beat` while verifying it. Raises WeightsDamaged."""
    path = get_settings().checkpoints(job_id) / SOURCE_FILE
    if not path.is_file() or sha256_of(path, beat) != weights.sha256:
        raise WeightsDamaged("The weights that this job uses are missing or damaged. Create the job again.")
    return path
