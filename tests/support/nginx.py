"""A real nginx that runs deploy/nginx.conf before a service, on loopback and with a certificate of its own."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from app.core.settings import CHECKOUT
from tests.support.health import answers
from tests.support.other_servers import self_signed_certificate
from tests.support.ports import free_port
from tests.support.wait import until

_CONF = (CHECKOUT / "deploy" / "nginx.conf").read_text()
_NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
_WHOLE_CONF = """daemon off; pid {0}/pid; error_log {0}/error.log;
events {{}}
http {{
access_log off; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
{1}
}}
"""


@contextmanager
def nginx_before(service_url: str, health_path: str, folder: Path) -> Iterator[httpx.Client]:
    """A client of nginx. Of deploy/nginx.conf only the ports and the lines that an operator edits are changed.

    Skip the test where nginx or openssl is missing.
    """
    if _NGINX is None:
        pytest.skip("deploy/nginx.conf was not tried: nginx is not installed")
    pem, port = self_signed_certificate(folder), free_port()
    conf = replace_each(
        _CONF,
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name forger.example", "server_name localhost"),
        ("/etc/ssl/certs/forger.example.pem", str(pem)),
        ("/etc/ssl/private/forger.example.key", str(pem)),
        ("http://127.0.0.1:8000", service_url),
    )
    (folder / "nginx.conf").write_text(_WHOLE_CONF.format(folder, conf))
    command: list[str | Path] = [_NGINX, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"]
    checked = subprocess.run([*command, "-t"], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen(command)
    context = ssl.create_default_context(cafile=pem)
    client = httpx.Client(base_url=f"https://localhost:{port}", verify=context, timeout=60)
    try:
        until(lambda: answers(client, health_path))
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(30)


def replace_each(text: str, *pairs: tuple[str, str]) -> str:
    """Replace each old text, which must stand exactly once."""
    for old, new in pairs:
        assert text.count(old) == 1, f"deploy/nginx.conf has no single {old!r}"
        text = text.replace(old, new)
    return text
