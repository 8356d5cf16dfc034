"""Servers that are no Forger: a page of another program, and a server that speaks TLS."""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class _Page(_Quiet):
    def do_GET(self) -> None:
        self.send_response(404 if "lost" in self.path else 200)
        self.end_headers()
        self.wfile.write(b"<html>Hello</html>")


class _NoModels(_Quiet):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": []}')


@contextmanager
def html_server() -> Iterator[str]:
    """The URL of a server that answers every request with an HTML page; paths with "lost" have status 404."""
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def tls_server(certificate: Path) -> Iterator[int]:
    """The port of a server that speaks TLS and answers every request with an empty list."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), _NoModels) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def self_signed_certificate(folder: Path) -> Path:
    """Create a certificate for localhost and its key in one PEM file; skip the test where openssl is missing."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("Certificates were not tried: openssl is not installed")
    pem, certificate = folder / "cert.pem", folder / "cert.pem.own"
    options = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    options += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([openssl, *options, "-keyout", pem, "-out", certificate], check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + certificate.read_bytes())
    return pem
