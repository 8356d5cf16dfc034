"""The environment variables that each kind of child process gets."""

import pytest

from app.core.sandbox import environment

ENVIRONMENT = {
    "FORGER_API_KEY": "k", "forger_api_key": "k", "FORGER_HOME": "/h", "forger_slots": "2",
    "DATABASE_URL": "d", "PGPASSWORD": "p", "REDIS_URL": "r",
    "AWS_SECRET_ACCESS_KEY": "s", "GITHUB_TOKEN": "t", "PATH": "/bin", "OMP_NUM_THREADS": "1", "http_proxy": "x",
}  # fmt: skip
COMMON = {"FORGER_HOME", "forger_slots", "PATH", "OMP_NUM_THREADS"}
DATABASE, BROKER, KEY = {"DATABASE_URL", "PGPASSWORD"}, {"REDIS_URL"}, {"FORGER_API_KEY", "forger_api_key"}
EXPECTED = {
    "API": COMMON | DATABASE | BROKER | KEY,
    "WORKER": COMMON | DATABASE | BROKER | {"http_proxy"},
    "INFERENCE": COMMON | BROKER,
    "RUNNER": COMMON | DATABASE | {"http_proxy"},
    "RANK": COMMON | {"http_proxy"},
    "REDIS": {"PATH"},
    "READER": {"PATH"},
}


@pytest.mark.parametrize("part", EXPECTED)
def test_each_part_gets_only_the_variables_it_needs(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    selected = environment.select(getattr(environment, part))
    assert ENVIRONMENT.keys() & selected.keys() == EXPECTED[part]
    assert environment.select(environment.READER, PATH="/own")["PATH"] == "/own"
