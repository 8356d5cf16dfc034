"""Settings: defaults, environment variables and the URLs derived from them."""

from pathlib import Path

import pytest

from app.core.settings import CHECKOUT, Settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORGER_HOME", "FORGER_PORT", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def test_relative_home_is_resolved_against_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().home == CHECKOUT / "var"


def test_default_database_is_a_file_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FORGER_HOME", str(tmp_path))
    assert Settings().database_url == f"sqlite:///{tmp_path}/forger.db"


def test_urls_are_read_from_variables_without_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://x")
    monkeypatch.setenv("REDIS_URL", "redis://y:6379/0")
    assert (Settings().database_url, Settings().broker_url) == ("postgresql+psycopg://x", "redis://y:6379/0")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_postgresql_scheme_becomes_the_psycopg_driver(scheme: str) -> None:
    assert (
        Settings(database_url=f"{scheme}://me:pw@host:5432/db").database_url
        == "postgresql+psycopg://me:pw@host:5432/db"
    )


def test_unix_socket_url_is_converted_to_the_form_of_kombu() -> None:
    assert Settings(redis_url="unix:///run/r.sock").broker_url == "redis+socket:///run/r.sock?virtual_host=0"


def test_each_home_has_its_own_redis_socket(tmp_path: Path) -> None:
    assert Settings(home=tmp_path / "a").redis_socket != Settings(home=tmp_path / "b").redis_socket


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_PORT", "")
    assert Settings().port == 8000


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
