"""Tie the home folder to the database to which its files belong."""

import os
import tempfile
from pathlib import Path

from app.core.settings import get_settings
from app.core.store import Store
from app.db.repositories import database, files
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work

IDENTITY_FILE = "database"
"""file in the home with the identity of the database whose files the home holds"""


def is_ours() -> bool:
    """Return whether the home's files belong to this database; claim an unclaimed home first.

    With DATABASE_URL a home may be combined with a database that references none of its files. So a home is only
    claimed while it is empty, or by a database that references one of its files.
    """
    with unit_of_work(read_only=True) as session:
        identity = database.identity(session)
    path = get_settings().home / IDENTITY_FILE
    if not path.exists():
        if not _may_claim():
            return False
        _write_once(path, identity)
    return path.read_text() == identity


def _may_claim() -> bool:
    settings = get_settings()
    stored = set(Store(settings.artifacts).sha256s())
    folders = {folder.name for folder in settings.checkpoints("").glob("*")}
    if not stored and not folders:
        return True
    with unit_of_work(read_only=True) as session:
        return bool(rows.existing(session, folders) or files.referenced(session, stored))


def _write_once(path: Path, text: str) -> None:
    """Write a file atomically, unless it exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{IDENTITY_FILE}-") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
