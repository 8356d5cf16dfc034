"""Find the service's address: the one that is set, else the usual port on this machine."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from forger.problems import Unreachable
from forger.wire import running_at

USUAL = "http://127.0.0.1:8000"
GIVEN = "the address that was given"
_HOST, _PORT = "127.0.0.1", 8000
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""where what listens on every address of its machine is asked from that machine"""


def _checkout() -> Path | None:
    folder = Path(__file__).resolve().parents[1]
    return folder if (folder / "app" / "embedded" / "serve.py").is_file() else None


CHECKOUT = _checkout()
"""the folder that holds the service's code beside this package; None where the client alone is installed"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service is asked, and which setting says so."""

    url: str
    source: str


def setting(name: str) -> str | None:
    """Return FORGER_<name> of the environment; an empty value is as none."""
    return os.environ.get(f"FORGER_{name}") or None


def find() -> Place:
    """FORGER_URL; else the service that runs from FORGER_HOME; else what FORGER_HOST and FORGER_PORT say.

    Only where none of them is set is it the service of the usual home, or the usual port. Raises Unreachable where
    nothing runs from the home that is set, and where home and port name two services.
    """
    if (given := setting("URL")) is not None:
        return Place(given, "FORGER_URL")
    home, listening, port = _home(), _listening(), _port()
    if home is not None and (url := running_at(home)):
        if listening is None or port is None or urlsplit(url).port == port:
            return Place(url, f"what runs from FORGER_HOME={home}")
        if setting("HOME") is None:
            return listening
        raise Unreachable(
            f"FORGER_HOME={home} is served at {url}, and FORGER_PORT is {port}: unset one of them, or set FORGER_URL."
        )
    if listening is not None:
        return listening
    if setting("HOME") is not None:
        raise Unreachable(f"No Forger runs from FORGER_HOME={home}: start one with `forger serve`, or set FORGER_URL.")
    return Place(USUAL, "the usual address")


def _home() -> Path | None:
    """FORGER_HOME, else the checkout's `var`. A relative one lies in the checkout, without one in this folder."""
    named = setting("HOME")
    if named is None:
        return None if CHECKOUT is None else CHECKOUT / "var"
    return ((CHECKOUT or Path.cwd()) / Path(named).expanduser()).resolve()


def _port() -> int | None:
    """Raises Unreachable where FORGER_PORT is no port."""
    named = setting("PORT")
    if named is None:
        return None
    if not (named.isascii() and named.isdecimal() and int(named) <= 65535):
        raise Unreachable(f"'FORGER_PORT' is '{named}': write a whole number from 0 to 65535.")
    return int(named)


def _listening() -> Place | None:
    """Where a service listens that is started with the same FORGER_HOST and FORGER_PORT, if one of them is set."""
    host, port = setting("HOST"), _port()
    if (host is None and port is None) or port == 0:  # a free port: only the home knows which
        return None
    named = _LOOPBACK.get(host or _HOST, host or _HOST)
    spelled = f"[{named}]" if ":" in named else named
    source = " and ".join(f"FORGER_{name}" for name, value in (("HOST", host), ("PORT", port)) if value is not None)
    return Place(f"http://{spelled}:{_PORT if port is None else port}", source)


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
