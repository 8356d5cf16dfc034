"""The files of the artifact store."""

from pathlib import Path

from app.core.settings import get_settings


def stored_files() -> set[Path]:
    """Return every file in the store of this process's home."""
    return {path for path in get_settings().artifacts.rglob("*") if path.is_file()}
