"""Uploaded datasets for tests of the services, without HTTP."""

from pathlib import Path

from app.core.settings import get_settings
from app.services.datasets.catalog import CatalogEntry
from app.services.datasets.intake import Intake
from data.uploads.survey import UploadOptions
from tests.support.zips import zipped


def incoming_archive() -> Path:
    """Return where to put an upload: the only folder that the process that reads uploads can read."""
    folder = get_settings().incoming
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "x.zip"


def upload_dataset(name: str, members: dict[str, bytes], options: UploadOptions | None = None) -> CatalogEntry:
    """Add a dataset of these files to the catalogue."""
    path = incoming_archive()
    path.write_bytes(zipped(members))
    intake = Intake(get_settings())
    try:
        return intake.take(path, name, "auto", options)
    finally:
        intake.close()
