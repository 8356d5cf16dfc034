"""What a service that listens on all of its machine prints can be opened."""

import socket
from urllib.parse import urlsplit

import pytest

from app.core.settings import Settings
from app.embedded.reachable import urls
from app.embedded.serve import listening

ALL = ["0.0.0.0", "::"]


@pytest.mark.parametrize("host", ALL)
def test_every_printed_address_can_be_opened(host: str) -> None:
    with listening(settings := Settings(host=host, port=0)) as listener:
        printed = urls(settings, listener.getsockname()[1])
        assert len(printed) == len(set(printed))
        for url in printed:
            place = urlsplit(url)
            assert place.hostname not in ALL
            socket.create_connection((place.hostname, place.port), timeout=10).close()


@pytest.mark.parametrize("host", ALL)
def test_interfaces_that_would_be_refused_by_name_are_left_out(host: str) -> None:
    assert urls(Settings(host=host, hosts="lab.example"), 8000) == ["http://localhost:8000"]
    every = urls(Settings(host=host), 8000)
    for url in every[1:]:
        assert urls(Settings(host=host, hosts=urlsplit(url).hostname), 8000) == ["http://localhost:8000", url]


def test_one_address_is_printed_as_it_is() -> None:
    assert urls(Settings(host="127.0.0.1"), 8000) == ["http://127.0.0.1:8000"]
    assert urls(Settings(host="::1"), 8000) == ["http://[::1]:8000"]
