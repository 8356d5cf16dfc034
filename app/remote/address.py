"""Find the service's address: the one that is set, else the usual port on this machine."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.core import service_file
from app.core.settings import Settings
from app.remote.problems import Unreachable

USUAL = "http://127.0.0.1:8000"
GIVEN = "the address that was given"
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""where what listens on every address of its machine is asked from that machine"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is asked, and which setting says so."""

    url: str
    source: str


def find(settings: Settings) -> Place:
    """FORGER_URL; else the service that runs from FORGER_HOME; else what FORGER_HOST and FORGER_PORT say.

    Only where none of them is set is it the service of the usual home, or the usual port. Raises Unreachable where
    nothing runs from the home that is set, and where home and port name two services.
    """
    if settings.url is not None:
        return Place(settings.url, "FORGER_URL")
    named = settings.model_fields_set
    listening = _listening(settings)
    if url := service_file.address(settings.home):
        home = Place(url, f"what runs from FORGER_HOME={settings.home}")
        if listening is None or "port" not in named or urlsplit(url).port == settings.port:
            return home
        if "home" not in named:
            return listening
        raise Unreachable(
            f"FORGER_HOME={settings.home} is served at {url}, and FORGER_PORT is {settings.port}: unset one of them, "
            "or set FORGER_URL."
        )
    if listening is not None:
        return listening
    if "home" in named:
        raise Unreachable(
            f"No Forger runs from FORGER_HOME={settings.home}: start one with `forger serve`, or set FORGER_URL."
        )
    return Place(USUAL, "the usual address")


def _listening(settings: Settings) -> Place | None:
    """Where a service listens that is started with the same FORGER_HOST and FORGER_PORT, if one of them is set."""
    named = [name for name in ("host", "port") if name in settings.model_fields_set]
    if not named or settings.port == 0:  # a free port: only the home knows which
        return None
    host = _LOOPBACK.get(settings.host, settings.host)
    spelled = f"[{host}]" if ":" in host else host
    return Place(f"http://{spelled}:{settings.port}", " and ".join(f"FORGER_{name.upper()}" for name in named))


def checked(url: str) -> str:
    """The address, or ValueError with a sentence."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"'{url}' is no address of a Forger: write it like {USUAL}.")
    return url.rstrip("/")


def bearer(key: str | None) -> dict[str, str]:
    """The header that carries the key, or ValueError with a sentence."""
    if not key:
        return {}
    if not (key.isascii() and key.isprintable()):
        raise ValueError("The key cannot be sent: FORGER_API_KEY is made of printable ASCII characters.")
    return {"Authorization": f"Bearer {key}"}


def is_local(url: str) -> bool:
    """Whether the address is this machine's own: no proxy lies on the way."""
    name = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
