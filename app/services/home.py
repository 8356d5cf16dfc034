"""Which database a home's files belong to."""

from app.core.settings import get_settings
from app.db.repositories import identity
from app.db.session import unit_of_work

FILE = "database"
"""in the home: the identity of the database whose files are there"""


def is_ours() -> bool:
    """Whether the files belong to this database; the first that meets a home takes it.

    With DATABASE_URL one home may be brought together with a database that names none of its files.
    """
    with unit_of_work(read_only=True) as session:
        own = identity.own(session)
    path = get_settings().home / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(own)
    except FileExistsError:
        return path.read_text() == own
    return True
