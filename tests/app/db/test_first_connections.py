"""A new file of SQLite's, opened by many at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from app.db.session import engine

AT_ONCE, FILES = 6, 30


def test_all_who_open_a_new_file_at_once_get_in(tmp_path: Path) -> None:
    barrier = threading.Barrier(AT_ONCE)

    def mode(url: str) -> str:
        made = engine.__wrapped__(url)  # one for each, as in processes of their own
        barrier.wait(60)
        with made.connect() as connection:
            found: str = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        made.dispose()
        return found

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for number in range(FILES):
            urls = [f"sqlite:///{tmp_path}/{number}.db"] * AT_ONCE
            assert list(threads.map(mode, urls)) == ["wal"] * AT_ONCE
