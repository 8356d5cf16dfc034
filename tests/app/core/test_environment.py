"""What children find in their environment."""

import pytest

from app.core.sandbox import environment

GIVEN = {
    "FORGER_API_KEY": "k", "forger_api_key": "k", "FORGER_HOME": "/h", "forger_slots": "2",
    "DATABASE_URL": "d", "PGPASSWORD": "p", "REDIS_URL": "r",
    "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "t", "PATH": "/bin", "OMP_NUM_THREADS": "1", "http_proxy": "x",
}  # fmt: skip
COMMON = {"FORGER_HOME", "forger_slots", "PATH", "OMP_NUM_THREADS"}
DATABASE, BROKER, KEY = {"DATABASE_URL", "PGPASSWORD"}, {"REDIS_URL"}, {"FORGER_API_KEY", "forger_api_key"}
FOUND = {
    "API": COMMON | DATABASE | BROKER | KEY,
    "WORKER": COMMON | DATABASE | BROKER | {"http_proxy"},
    "INFERENCE": COMMON | BROKER,
    "RUNNER": COMMON | DATABASE | {"http_proxy"},
    "RANK": COMMON | {"http_proxy"},
    "REDIS": {"PATH"},
    "READER": {"PATH"},
}


@pytest.mark.parametrize("part", FOUND)
def test_each_part_finds_what_it_needs_and_no_more(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    found = environment.select(getattr(environment, part))
    assert GIVEN.keys() & found.keys() == FOUND[part]
    assert environment.select(environment.READER, PATH="/own")["PATH"] == "/own"
