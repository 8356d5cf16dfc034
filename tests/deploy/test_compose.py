"""docker-compose.yml agrees with the code and the Dockerfile."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from app.core.settings import CHECKOUT, Settings
from tests.support.commands import accepted, routes
from tests.support.image import stages
from tests.support.setting_names import environment_variable

TEXT = (CHECKOUT / "docker-compose.yml").read_text()
VARIABLE = re.compile(r"\$\{(\w+)(:[?-])?([^}]*)\}")
FORGER_SERVICES = ("api", "worker", "worker-gpu", "api-thin", "inference")
SETTINGS = {environment_variable(name, field) for name, field in Settings.model_fields.items()}


ENVIRONMENT = {"FORGER_API_KEY": "key", "POSTGRES_PASSWORD": "secret"}


def with_variables(node: Any) -> Any:
    """Replace variables as compose does, with ENVIRONMENT in the environment."""
    match node:
        case dict():
            return {key: with_variables(value) for key, value in node.items()}
        case list():
            return [with_variables(value) for value in node]
        case str():
            return VARIABLE.sub(lambda match: ENVIRONMENT.get(match[1]) or (match[3] if match[2] == ":-" else ""), node)
    return node


COMPOSE: dict[str, Any] = with_variables(yaml.safe_load(TEXT))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STAGES = stages()


@pytest.fixture(params=FORGER_SERVICES)
def forger_service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return SERVICES[request.param]


def test_missing_key_or_password_stops_compose_with_a_sentence() -> None:
    required = {name: sentence for name, kind, sentence in VARIABLE.findall(TEXT) if kind == ":?"}
    assert required.keys() == {"FORGER_API_KEY", "POSTGRES_PASSWORD"}
    assert all(sentence.startswith("set ") for sentence in required.values())


def test_every_forger_variable_is_a_setting() -> None:
    interpolated = {name for name, _, _ in VARIABLE.findall(TEXT) if name.startswith("FORGER_")}
    passed = {name for name in FORGER_SERVICES for name in SERVICES[name]["environment"]}
    assert passed
    assert interpolated | passed <= SETTINGS


def test_environment_of_each_service_gives_valid_settings(
    forger_service: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in forger_service["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database_url == "postgresql+psycopg://forger:secret@postgres:5432/forger"
    assert settings.broker_url == "redis://redis:6379/0"


def test_other_settings_come_from_an_optional_file(forger_service: dict[str, Any]) -> None:
    """`environment` overrides the file, so it holds only addresses, required secrets, and the role of a service."""
    assert forger_service["env_file"] == [{"path": "forger.env", "required": False}]
    fixed = {"DATABASE_URL", "REDIS_URL", "FORGER_API_KEY", "FORGER_DEVICE", "FORGER_INFERENCE"}
    assert forger_service["environment"].keys() <= fixed
    ignored = (CHECKOUT / ".gitignore").read_text().splitlines()
    assert {"forger.env", ".env"} <= set(ignored)


def test_database_and_redis_addresses_name_services(forger_service: dict[str, Any]) -> None:
    database = urlsplit(forger_service["environment"]["DATABASE_URL"])
    server = SERVICES[database.hostname or ""]["environment"]
    assert (database.username, database.password) == (server["POSTGRES_USER"], server["POSTGRES_PASSWORD"])
    assert database.path == f"/{server['POSTGRES_DB']}"
    assert urlsplit(forger_service["environment"]["REDIS_URL"]).hostname in SERVICES
    assert {
        name for name, condition in forger_service["depends_on"].items() if condition["condition"] == "service_healthy"
    } == {
        "postgres",
        "redis",
    }


def test_build_target_arguments_and_command_exist(forger_service: dict[str, Any]) -> None:
    stage = STAGES[forger_service["build"]["target"]]
    known = {arg.partition("=")[0] for stage in STAGES.values() for arg in stage.args}
    assert forger_service["build"].get("args", {}).keys() <= known
    assert stage.entrypoint == ["forger"]
    assert accepted(forger_service["command"])
    part = forger_service["command"][-1]
    assert part == "api" or stage.name == "worker", "the image `api` cannot train"


def test_default_services_can_sample() -> None:
    """Sampling needs torch in the API's process, so the default API runs from the image with torch."""
    assert SERVICES["api"]["build"]["target"] == "worker"
    started = {name for name, service in SERVICES.items() if not service.get("profiles")}
    assert started == {"api", "worker", "postgres", "redis"}
    assert SERVICES["worker-gpu"]["environment"]["FORGER_DEVICE"] == "cuda"


def test_thin_api_has_an_inference_worker() -> None:
    thin, inference = SERVICES["api-thin"], SERVICES["inference"]
    assert thin["environment"]["FORGER_INFERENCE"] == "workers"
    assert thin["profiles"] == inference["profiles"]
    assert inference["environment"]["REDIS_URL"] == thin["environment"]["REDIS_URL"]


def test_all_forger_services_share_the_home(forger_service: dict[str, Any]) -> None:
    home = STAGES[forger_service["build"]["target"]].env["FORGER_HOME"]
    assert forger_service["volumes"] == [f"home:{home}"]


def test_only_the_api_publishes_a_port() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    port = STAGES["api"].env["FORGER_PORT"]
    assert published == {"api": [f"127.0.0.1:8000:{port}"], "api-thin": [f"127.0.0.1:8001:{port}"]}
    assert COMPOSE["networks"]["inside"]["internal"]
    assert all(SERVICES[name]["networks"] == ["inside"] for name in ("postgres", "redis"))


def test_volumes_and_networks_are_declared_and_used() -> None:
    volumes = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    networks = {network for service in SERVICES.values() for network in service["networks"]}
    assert volumes == COMPOSE["volumes"].keys()
    assert networks == COMPOSE["networks"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_restarts_and_has_a_health_check(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    health_check = service.get("healthcheck") or STAGES[service["build"]["target"]].health
    assert health_check


@pytest.mark.parametrize("name", ["api", "api-thin"])
def test_health_check_of_the_api_uses_its_port_and_a_route(name: str) -> None:
    address = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", SERVICES[name]["healthcheck"]["test"][-1])
    assert address
    assert address[1] == STAGES["api"].env["FORGER_PORT"]
    assert address[2] in routes()


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_third_party_images_are_pinned(name: str) -> None:
    assert re.fullmatch(rf"{name}:\d+\.\d+(\.\d+)?-\w+", SERVICES[name]["image"])


def test_stop_grace_period_of_the_worker_is_long_enough() -> None:
    from worker.celery_app import EXIT_MARGIN_S

    needed = Settings.model_fields["stop_grace_s"].default + EXIT_MARGIN_S
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > needed


def test_only_the_apis_get_the_key() -> None:
    assert {name for name in FORGER_SERVICES if "FORGER_API_KEY" in SERVICES[name]["environment"]} == {
        "api",
        "api-thin",
    }
