"""Tie a home to the database that its files belong to."""

import os
import tempfile
from pathlib import Path

from app.core.settings import get_settings
from app.core.store import Store
from app.db.repositories import database, files
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work

FILE = "database"
"""in the home: the identity of the database whose files are there"""


def is_ours() -> bool:
    """Whether the files belong to this database.

    With DATABASE_URL one home may be brought together with a database that names none of its files. So a home that
    nobody has taken is taken only while it is empty, or by a database that names something in it.
    """
    with unit_of_work(read_only=True) as session:
        own = database.own(session)
    path = get_settings().home / FILE
    if not path.exists():
        if not _may_take():
            return False
        _write_once(path, own)
    return path.read_text() == own


def _may_take() -> bool:
    settings = get_settings()
    stored = set(Store(settings.artifacts).names())
    folders = {folder.name for folder in settings.checkpoints("").glob("*")}
    if not stored and not folders:
        return True
    with unit_of_work(read_only=True) as session:
        return bool(rows.existing(session, folders) or files.named(session, stored))


def _write_once(path: Path, text: str) -> None:
    """Whole or not at all, and never over what another process wrote."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{FILE}-") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
