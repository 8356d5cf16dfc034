"""Which database this is."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.tables import Identity


def own(session: Session) -> str:
    return session.scalars(select(Identity.id)).one()
