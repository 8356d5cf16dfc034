"""Fixtures: the HTTP application in this process, with its own migrated database and real exports."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

os.environ.setdefault("GOMP_SPINCOUNT", "0")

from app.core.settings import get_settings
from app.db.session import engine
from app.main import create_app
from app.services.system import home as homes
from tests.support.databases import MOSTLY_SQLITE, new_database
from tests.support.exports import publish_vivid
from tests.support.settings import clear_caches

Publish = Callable[..., str]
UNTRAINED: dict[str, tuple[str, str]] = {
    "points": ("gan", "ring8"),
    "brackets": ("gumbel_gan", "dyck"),
    "narrow": ("gan", "digits"),
    "codes": ("autoencoder", "digits"),
    "night": ("cyclegan", "day2night"),
    "clothes": ("cdcgan", "fashion_mnist"),
    "plain": ("dcgan", "digits"),
    "digits": ("cdcgan", "digits"),
}
"""family and dataset of untrained models, by the name under which tests publish them"""


@pytest.fixture(scope="module", params=MOSTLY_SQLITE)
def backend(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def api_home(tmp_path_factory: pytest.TempPathFactory, backend: str, request: pytest.FixtureRequest) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch, new_database(request, backend, home) as settings:
        for name in ("DATABASE_URL", "REDIS_URL", "FORGER_API_KEY"):
            patch.delenv(name, raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.setenv("FORGER_HOME", str(home))
        patch.setenv("FORGER_MAX_UPLOAD_BYTES", "2000000")
        patch.setenv("FORGER_MAX_PIXELS", "1000000")
        clear_caches()
        assert homes.is_ours(), (
            "The home's mark is written here, because the API would write it while a test counts files."
        )
        yield home
        engine(get_settings().database_url).dispose()
    clear_caches()


@pytest.fixture(scope="module")
def client(api_home: Path) -> Iterator[TestClient]:
    with TestClient(create_app(get_settings()), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def publish_all(publish: Publish, *names: str) -> None:
    """Publish models of UNTRAINED; the last is the newest, which requests without a model mean."""
    for name in names:
        publish(*UNTRAINED[name], name=name)


@pytest.fixture(scope="module")
def publish(api_home: Path) -> Publish:
    """Return the function that publishes an untrained network as the result of a job and returns its name@version."""
    return publish_vivid
