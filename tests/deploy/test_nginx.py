"""deploy/nginx.conf in a real nginx, with TLS and a root path, before a real service."""

from collections.abc import Iterator

import httpx2 as httpx
import pytest

from forger import Forger
from tests.conftest import StartService
from tests.support.nginx import nginx_before
from tests.support.service import Service
from tests.support.wait import until

pytestmark = pytest.mark.processes

ROOT, KEY = "/forger", "key-of-the-tests"
LIMIT = 3_000_000


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Service:
    return start_service(
        FORGER_ROOT_PATH=ROOT, FORGER_API_KEY=KEY, FORGER_HOSTS="localhost", FORGER_MAX_DATASET_BYTES=str(LIMIT)
    )


@pytest.fixture(scope="module")
def proxy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of nginx that sends the key."""
    with nginx_before(service.url, f"{ROOT}/livez", tmp_path_factory.mktemp("nginx")) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


def training(steps: int) -> dict[str, object]:
    return {"kind": "train", "recipe": "gan", "dataset": "ring8", "budget": {"steps": steps}}


def test_job_is_planned_created_followed_and_fetched_through_the_proxy(service: Service, proxy: httpx.Client) -> None:
    assert proxy.post(f"{ROOT}/jobs", json={**training(40), "dry_run": True}).status_code == 200
    created = proxy.post(f"{ROOT}/jobs", json=training(40))
    assert created.status_code == 201, created.text
    location = created.headers["location"]
    assert location.startswith(f"{ROOT}/jobs/")
    done = until(lambda: (job := proxy.get(location).json())["state"] == "succeeded" and job, within_s=120)
    assert done
    files = proxy.get(done["links"]["artifacts"]).json()["data"]
    href = next(file["href"] for file in files if file["size"] > 200)
    whole = proxy.get(href).content
    part = proxy.get(href, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole[100:200]
    for url in (service.url, f"{service.url}{ROOT}"):  # without the proxy
        with Forger(url, KEY) as forger:
            assert forger.fetch(href).data == whole
    document = proxy.get(f"{ROOT}/openapi.json").json()
    assert document["servers"] == [{"url": ROOT}]


def test_events_arrive_while_the_job_runs(proxy: httpx.Client) -> None:
    location = proxy.post(f"{ROOT}/jobs", json=training(200_000)).headers["location"]
    with proxy.stream("GET", f"{location}/events", headers={"Accept": "text/event-stream"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert any(line.startswith("data:") and "running" in line for line in lines)
        assert proxy.get(location).json()["state"] == "running"
    assert proxy.post(f"{location}/cancel").status_code in (200, 202)


def test_uploads_pass_up_to_the_limit_of_the_service(proxy: httpx.Client) -> None:
    """The default limit of nginx is 1 MB, and its refusal is no problem document."""
    for size, code in ((LIMIT - 1000, "invalid"), (LIMIT + 200_000, "too_large")):
        sent = proxy.post(f"{ROOT}/datasets", data={"name": "big"}, files={"file": ("big.zip", bytes(size))})
        assert sent.headers["content-type"] == "application/problem+json", sent.text[:200]
        assert (sent.status_code == 413) == (code == "too_large"), sent.text[:300]


def test_other_host_names_are_refused(proxy: httpx.Client) -> None:
    assert proxy.get(f"{ROOT}/jobs", headers={"Host": "stranger.example"}).status_code == 421
