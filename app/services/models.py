"""Published models: names with numbered versions."""

from app.db.repositories import models as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.views import VersionView

__all__ = ["VersionView", "versions"]


def versions() -> list[VersionView]:
    """Every version, newest first."""
    with unit_of_work(read_only=True) as session:
        return [views.version(row) for row in rows.versions(session)]
