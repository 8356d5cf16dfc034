"""Share one job, one experiment or one model with people without the key, for some time."""

from dataclasses import dataclass

from app.core.errors import NotFound
from app.db.repositories import experiments, links
from app.db.repositories import jobs as job_rows
from app.db.session import unit_of_work
from app.db.tables import Link
from app.services.models import registry


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link; `target` is an id, of a model name@version."""

    id: str
    kind: str
    target: str
    created_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Shared:
    """The jobs that a link shows, or the dataset of its model."""

    link: LinkView
    jobs: frozenset[str] = frozenset()
    dataset: str | None = None


def create(kind: str, target: str, lifetime_s: float) -> LinkView:
    """Create a link to a job, an experiment or a model's version. Raises NotFound."""
    if kind == "model":
        target = registry.find(target).reference
    with unit_of_work() as session:
        if kind == "job" and job_rows.find(session, target) is None:
            raise NotFound(f"There is no job '{target[:80]}'. GET /jobs lists them.")
        if kind == "experiment" and experiments.find(session, target) is None:
            raise NotFound(f"There is no experiment '{target[:80]}'. GET /experiments lists them.")
        return _view(links.add(session, kind, target, lifetime_s))


def valid_links() -> list[LinkView]:
    """Return the links that have not expired, newest first."""
    with unit_of_work(read_only=True) as session:
        return [_view(row) for row in links.valid(session)]


def shared_by(link_id: str) -> Shared | None:
    """Return what a link shows; None if it has expired or was revoked, or if its target was deleted."""
    with unit_of_work(read_only=True) as session:
        row = links.find(session, link_id)
        if row is None:
            return None
        link = _view(row)
        if link.kind == "experiment":
            return Shared(link, jobs=frozenset(experiments.job_ids(session, link.target)))
    if link.kind == "job":
        return Shared(link, jobs=frozenset({link.target}))
    try:
        return Shared(link, dataset=registry.find(link.target).recipe.data.dataset)
    except NotFound:
        return None


def revoke(link_id: str) -> None:
    """Delete a link: it shows nothing from then on. Raises NotFound."""
    with unit_of_work() as session:
        if not links.remove(session, link_id):
            raise NotFound(f"There is no link '{link_id[:80]}'. GET /links lists those that have not expired.")


def _view(row: Link) -> LinkView:
    return LinkView(row.id, row.kind, row.target, row.created_at, row.expires_at)
