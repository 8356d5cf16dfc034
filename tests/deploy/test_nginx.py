"""deploy/nginx.conf in a real nginx, with TLS and a path, before a real service."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from app.core.settings import CHECKOUT
from forger import Forger
from tests.conftest import StartService
from tests.support.ports import free_port
from tests.support.service import Service
from tests.support.wait import until

pytestmark = pytest.mark.processes

CONF = (CHECKOUT / "deploy" / "nginx.conf").read_text()
NGINX, OPENSSL = (
    shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"),
    shutil.which("openssl"),
)
ROOT, KEY = "/forger", "key-of-the-tests"
LIMIT = 3_000_000
CERTIFICATE = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
ADDED = ("-addext", "subjectAltName=DNS:localhost")
"""what a client checks"""
OURS = """daemon off; pid {0}/pid; error_log {0}/error.log;
events {{}}
http {{
access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
{1}
}}
"""


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert text.count(old) == 1, f"deploy/nginx.conf has no single {old!r}"
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def behind(start_service: StartService) -> Service:
    return start_service(
        FORGER_ROOT_PATH=ROOT, FORGER_API_KEY=KEY, FORGER_HOSTS="localhost", FORGER_MAX_DATASET_BYTES=str(LIMIT)
    )


@pytest.fixture(scope="module")
def proxy(behind: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of nginx, which has only the lines of deploy/nginx.conf changed that a person changes, and the ports."""
    if NGINX is None or OPENSSL is None:
        pytest.skip("deploy/nginx.conf was not tried: nginx or openssl is not installed")
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    pem, key = folder / "cert.pem", folder / "cert.key"
    subprocess.run([OPENSSL, *CERTIFICATE, *ADDED, "-keyout", key, "-out", pem], check=True, capture_output=True)
    served = replaced(
        CONF,
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name forger.example", "server_name localhost"),
        ("/etc/ssl/certs/forger.example.pem", str(pem)),
        ("/etc/ssl/private/forger.example.key", str(key)),
        ("http://127.0.0.1:8000", behind.url),
    )
    (folder / "nginx.conf").write_text(OURS.format(folder, served))
    command: list[str | Path] = [NGINX, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
    checked = subprocess.run([*command, "-t"], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    running = subprocess.Popen(command)
    context = ssl.create_default_context(cafile=pem)
    client = httpx.Client(base_url=f"https://localhost:{port}", verify=context, timeout=60)
    client.headers["Authorization"] = f"Bearer {KEY}"
    try:
        until(lambda: answers(client))
        yield client
    finally:
        client.close()
        running.terminate()
        running.wait(30)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get(f"{ROOT}/livez").status_code == 200
    except httpx.TransportError:
        return False


def job(steps: int) -> dict[str, object]:
    return {"kind": "train", "recipe": "gan", "dataset": "ring8", "budget": {"steps": steps}}


def test_a_job_is_tried_made_followed_and_fetched_through_the_proxy(behind: Service, proxy: httpx.Client) -> None:
    assert proxy.post(f"{ROOT}/jobs", json={**job(40), "dry_run": True}).status_code == 200
    made = proxy.post(f"{ROOT}/jobs", json=job(40))
    assert made.status_code == 201, made.text
    own = made.headers["location"]
    assert own.startswith(f"{ROOT}/jobs/")
    done = until(lambda: (seen := proxy.get(own).json())["state"] == "succeeded" and seen, within_s=120)
    assert done
    files = proxy.get(done["links"]["artifacts"]).json()["data"]
    href = next(file["href"] for file in files if file["size"] > 200)
    whole = proxy.get(href).content
    part = proxy.get(href, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole[100:200]
    for url in (behind.url, f"{behind.url}{ROOT}"):  # on the machine itself
        with Forger(url, KEY) as forger:
            assert forger.fetch(href).data == whole
    document = proxy.get(f"{ROOT}/openapi.json").json()
    assert document["servers"] == [{"url": ROOT}]


def test_events_come_while_the_job_still_runs(proxy: httpx.Client) -> None:
    own = proxy.post(f"{ROOT}/jobs", json=job(200_000)).headers["location"]
    with proxy.stream("GET", f"{own}/events", headers={"Accept": "text/event-stream"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert any(line.startswith("data:") and "running" in line for line in lines)
        assert proxy.get(own).json()["state"] == "running"
    assert proxy.post(f"{own}/cancel").status_code in (200, 202)


def test_uploads_pass_up_to_the_services_own_limit(proxy: httpx.Client) -> None:
    """nginx's own limit is 1 MB, and its refusal no problem document."""
    for size, code in ((LIMIT - 1000, "invalid"), (LIMIT + 200_000, "too_large")):
        sent = proxy.post(f"{ROOT}/datasets", data={"name": "big"}, files={"file": ("big.zip", bytes(size))})
        assert sent.headers["content-type"] == "application/problem+json", sent.text[:200]
        assert (sent.status_code == 413) == (code == "too_large"), sent.text[:300]


def test_no_host_but_the_published_one_is_answered(proxy: httpx.Client) -> None:
    assert proxy.get(f"{ROOT}/jobs", headers={"Host": "stranger.example"}).status_code == 421
