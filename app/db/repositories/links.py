"""Queries on links."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.session import epoch_now
from app.db.tables import Link


def add(session: Session, kind: str, target: str, lifetime_s: float) -> Link:
    now = epoch_now()
    row = Link(id=new_id("link"), kind=kind, target=target, created_at=now, expires_at=now + lifetime_s)
    session.add(row)
    session.flush()
    session.refresh(row)  # the database's clock wrote its times
    return row


def valid(session: Session) -> Sequence[Link]:
    """Return the links that have not expired, newest first."""
    return session.scalars(select(Link).where(Link.expires_at > epoch_now()).order_by(Link.id.desc())).all()


def find(session: Session, link_id: str) -> Link | None:
    """Return the link; None if it was revoked or has expired."""
    return session.scalars(select(Link).where(Link.id == link_id, Link.expires_at > epoch_now())).one_or_none()


def remove(session: Session, link_id: str) -> bool:
    """Delete the link, and those that have expired. Return whether it was there."""
    removed = session.scalar(delete(Link).where(Link.id == link_id).returning(Link.id)) is not None
    session.execute(delete(Link).where(Link.expires_at <= epoch_now()))
    return removed
