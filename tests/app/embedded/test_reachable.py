"""The addresses that a service prints when it listens on all interfaces."""

import socket
from urllib.parse import urlsplit

import pytest

from app.core.settings import Settings
from app.embedded.reachable import urls
from app.embedded.serve import listening

WILDCARDS = ["0.0.0.0", "::"]


@pytest.mark.parametrize("host", WILDCARDS)
def test_every_printed_address_can_be_opened(host: str) -> None:
    with listening(settings := Settings(host=host, port=0)) as listener:
        printed = urls(settings, listener.getsockname()[1])
        assert len(printed) == len(set(printed))
        for url in printed:
            address = urlsplit(url)
            assert address.hostname not in WILDCARDS
            socket.create_connection((address.hostname, address.port), timeout=10).close()


@pytest.mark.parametrize("host", WILDCARDS)
def test_addresses_outside_the_allowed_hosts_are_not_printed(host: str) -> None:
    assert urls(Settings(host=host, hosts="lab.example"), 8000) == ["http://localhost:8000"]
    every = urls(Settings(host=host), 8000)
    for url in every[1:]:
        assert urls(Settings(host=host, hosts=urlsplit(url).hostname), 8000) == ["http://localhost:8000", url]


def test_single_address_is_printed_unchanged() -> None:
    assert urls(Settings(host="127.0.0.1"), 8000) == ["http://127.0.0.1:8000"]
    assert urls(Settings(host="::1"), 8000) == ["http://[::1]:8000"]
