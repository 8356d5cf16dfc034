"""How the service writes links to itself."""

from app.core.settings import get_settings


def link(path: str) -> str:
    """The address of a path of ours as clients reach it, behind a proxy or not."""
    return get_settings().root_path + path
