"""A new SQLite file that several connections open at the same moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from app.db.session import engine

CONNECTIONS, FILES = 6, 30


def test_concurrent_first_connections_all_succeed(tmp_path: Path) -> None:
    barrier = threading.Barrier(CONNECTIONS)

    def journal_mode(url: str) -> str:
        own_engine = engine.__wrapped__(url)  # uncached: one engine for each, as in separate processes
        barrier.wait(60)
        with own_engine.connect() as connection:
            journal: str = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        own_engine.dispose()
        return journal

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for number in range(FILES):
            urls = [f"sqlite:///{tmp_path}/{number}.db"] * CONNECTIONS
            assert list(threads.map(journal_mode, urls)) == ["wal"] * CONNECTIONS
