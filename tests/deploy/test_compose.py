"""docker-compose.yml against the code and the Dockerfile."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from app.core.settings import CHECKOUT, Settings
from tests.docs.test_docs import variable
from tests.support.commands import accepted, routes
from tests.support.image import stages

TEXT = (CHECKOUT / "docker-compose.yml").read_text()
ASKED = re.compile(r"\$\{(\w+)(:[?-])?([^}]*)\}")
OURS = ("api", "worker", "worker-gpu", "api-thin", "inference")
SETTINGS = {variable(name, field) for name, field in Settings.model_fields.items()}


GIVEN = {"FORGER_API_KEY": "key", "POSTGRES_PASSWORD": "secret"}


def filled(node: Any) -> Any:
    """As compose reads it, with GIVEN in the environment."""
    match node:
        case dict():
            return {key: filled(value) for key, value in node.items()}
        case list():
            return [filled(value) for value in node]
        case str():
            return ASKED.sub(lambda asked: GIVEN.get(asked[1]) or (asked[3] if asked[2] == ":-" else ""), node)
    return node


COMPOSE: dict[str, Any] = filled(yaml.safe_load(TEXT))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAGES = stages()


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest) -> dict[str, Any]:
    return SERVICES[request.param]


def test_the_key_and_the_password_are_required_with_a_sentence() -> None:
    required = {name: sentence for name, kind, sentence in ASKED.findall(TEXT) if kind == ":?"}
    assert required.keys() == {"FORGER_API_KEY", "POSTGRES_PASSWORD"}
    assert all(sentence.startswith("set ") for sentence in required.values())


def test_every_variable_of_ours_is_a_setting() -> None:
    asked = {name for name, _, _ in ASKED.findall(TEXT) if name.startswith("FORGER_")}
    given = {name for name in OURS for name in SERVICES[name]["environment"]}
    assert given
    assert asked | given <= SETTINGS


def test_the_settings_are_taken_as_they_are(ours: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ours["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database_url == "postgresql+psycopg://forger:secret@postgres:5432/forger"
    assert settings.broker_url == "redis://redis:6379/0"


def test_every_other_setting_comes_from_a_file_that_may_be_missing(ours: dict[str, Any]) -> None:
    """`environment` wins over it: what stands there is what only this file can know, or what one service is."""
    assert ours["env_file"] == [{"path": "forger.env", "required": False}]
    fixed = {"DATABASE_URL", "REDIS_URL", "FORGER_API_KEY", "FORGER_DEVICE", "FORGER_INFERENCE"}
    assert ours["environment"].keys() <= fixed
    ignored = (CHECKOUT / ".gitignore").read_text().splitlines()
    assert {"forger.env", ".env"} <= set(ignored)


def test_the_addresses_lead_to_services(ours: dict[str, Any]) -> None:
    database = urlsplit(ours["environment"]["DATABASE_URL"])
    server = SERVICES[database.hostname or ""]["environment"]
    assert (database.username, database.password) == (server["POSTGRES_USER"], server["POSTGRES_PASSWORD"])
    assert database.path == f"/{server['POSTGRES_DB']}"
    assert urlsplit(ours["environment"]["REDIS_URL"]).hostname in SERVICES
    assert {name for name, how in ours["depends_on"].items() if how["condition"] == "service_healthy"} == {
        "postgres",
        "redis",
    }


def test_what_is_built_is_a_target_and_its_arguments_are_known(ours: dict[str, Any]) -> None:
    stage = STAGES[ours["build"]["target"]]
    known = {arg.partition("=")[0] for stage in STAGES.values() for arg in stage.args}
    assert ours["build"].get("args", {}).keys() <= known
    assert stage.entrypoint == ["forger"]
    assert accepted(ours["command"])
    part = ours["command"][-1]
    assert part == "api" or stage.name == "worker", "the image `api` cannot train"


def test_compose_up_can_draw() -> None:
    """Sampling needs torch in the API's process: the default one runs from the image that has it."""
    assert SERVICES["api"]["build"]["target"] == "worker"
    started = {name for name, service in SERVICES.items() if not service.get("profiles")}
    assert started == {"api", "worker", "postgres", "redis"}
    assert SERVICES["worker-gpu"]["environment"]["FORGER_DEVICE"] == "cuda"


def test_an_api_without_torch_has_a_worker_that_draws_for_it() -> None:
    thin, inference = SERVICES["api-thin"], SERVICES["inference"]
    assert thin["environment"]["FORGER_INFERENCE"] == "workers"
    assert thin["profiles"] == inference["profiles"]
    assert inference["environment"]["REDIS_URL"] == thin["environment"]["REDIS_URL"]


def test_all_of_ours_share_the_home(ours: dict[str, Any]) -> None:
    home = STAGES[ours["build"]["target"]].env["FORGER_HOME"]
    assert ours["volumes"] == [f"home:{home}"]


def test_only_the_api_is_reached_from_outside() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    port = STAGES["api"].env["FORGER_PORT"]
    assert published == {"api": [f"127.0.0.1:8000:{port}"], "api-thin": [f"127.0.0.1:8001:{port}"]}
    assert COMPOSE["networks"]["inside"]["internal"]
    assert all(SERVICES[name]["networks"] == ["inside"] for name in ("postgres", "redis"))


def test_names_are_declared_and_used() -> None:
    volumes = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    networks = {network for service in SERVICES.values() for network in service["networks"]}
    assert volumes == COMPOSE["volumes"].keys()
    assert networks == COMPOSE["networks"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_comes_back_and_can_be_asked_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    asked = service.get("healthcheck") or STAGES[service["build"]["target"]].health
    assert asked


@pytest.mark.parametrize("name", ["api", "api-thin"])
def test_the_api_is_asked_where_it_answers(name: str) -> None:
    address = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", SERVICES[name]["healthcheck"]["test"][-1])
    assert address
    assert address[1] == STAGES["api"].env["FORGER_PORT"]
    assert address[2] in routes()


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_what_others_made_is_pinned(name: str) -> None:
    assert re.fullmatch(rf"{name}:\d+\.\d+(\.\d+)?-\w+", SERVICES[name]["image"])


def test_a_stopping_worker_has_the_time_it_takes() -> None:
    from worker.celery_app import EXIT_MARGIN_S

    needed = Settings.model_fields["stop_grace_s"].default + EXIT_MARGIN_S
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > needed


def test_the_key_is_given_to_those_alone_that_check_it() -> None:
    assert {name for name in OURS if "FORGER_API_KEY" in SERVICES[name]["environment"]} == {"api", "api-thin"}
