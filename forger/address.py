"""Find the service's address: from the settings, else the default port on this machine."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from forger.problems import Unreachable
from forger.wire import running_service_url

DEFAULT_URL = "http://127.0.0.1:8000"
FROM_ARGUMENT = "the address in the argument"
_HOST, _PORT = "127.0.0.1", 8000
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""loopback address to use on a machine whose service listens on all its addresses"""


def _checkout() -> Path | None:
    folder = Path(__file__).resolve().parents[1]
    return folder if (folder / "app" / "embedded" / "serve.py").is_file() else None


CHECKOUT = _checkout()
"""the folder with the service's code and this package; None if only the client is installed"""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """The address of a service, and the setting that it comes from."""

    url: str
    source: str


def setting(name: str) -> str | None:
    """Return FORGER_<name> of the environment; None if it is unset or empty."""
    return os.environ.get(f"FORGER_{name}") or None


def find_service() -> ServiceAddress:
    """Return FORGER_URL; else the service that runs from FORGER_HOME; else that of FORGER_HOST and FORGER_PORT.

    If none of them is set, return the service of the default home, or the default port. Raises Unreachable if only
    FORGER_HOME is set and no service runs from it, and if FORGER_HOME and FORGER_PORT name two services.
    """
    if (url := setting("URL")) is not None:
        return ServiceAddress(url, "FORGER_URL")
    home, listening, port = _home(), _listening(), _port()
    if home is not None and (url := running_service_url(home)):
        if listening is None or port is None or urlsplit(url).port == port:
            return ServiceAddress(url, f"what runs from FORGER_HOME={home}")
        if setting("HOME") is None:
            return listening
        raise Unreachable(
            f"FORGER_HOME={home} is served at {url}, and FORGER_PORT is {port}: unset one of them, or set FORGER_URL."
        )
    if listening is not None:
        if setting("HOME") is None:
            return listening
        return ServiceAddress(listening.url, f"{listening.source}; none runs from FORGER_HOME={home}")
    if setting("HOME") is not None:
        raise Unreachable(f"No Forger runs from FORGER_HOME={home}: start one with `forger serve`, or set FORGER_URL.")
    return ServiceAddress(DEFAULT_URL, "the default address")


def _home() -> Path | None:
    """Return FORGER_HOME, else the checkout's `var`. A relative path starts at the checkout, or at this folder."""
    named = setting("HOME")
    if named is None:
        return None if CHECKOUT is None else CHECKOUT / "var"
    return ((CHECKOUT or Path.cwd()) / Path(named).expanduser()).resolve()


def _port() -> int | None:
    """Return FORGER_PORT, or None if it is unset. Raises Unreachable if it is no port."""
    named = setting("PORT")
    if named is None:
        return None
    if not (named.isascii() and named.isdecimal() and int(named) <= 65535):
        raise Unreachable(f"'FORGER_PORT' is '{named}': write a whole number from 0 to 65535.")
    return int(named)


def _listening() -> ServiceAddress | None:
    """Return the address of a service with this FORGER_HOST and FORGER_PORT; None if neither is set."""
    host, port = setting("HOST"), _port()
    # Port 0 is any free one: only the home's file knows which.
    if (host is None and port is None) or port == 0:
        return None
    named = _LOOPBACK.get(host or _HOST, host or _HOST)
    spelled = f"[{named}]" if ":" in named else named
    source = " and ".join(f"FORGER_{name}" for name, value in (("HOST", host), ("PORT", port)) if value is not None)
    return ServiceAddress(f"http://{spelled}:{_PORT if port is None else port}", source)


def validated_url(url: str) -> str:
    """Return the address without a final slash. Raises ValueError with a sentence if it is none."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"'{url}' is no address of a Forger: write it like {DEFAULT_URL}.")
    return url.rstrip("/")


def auth_header(key: str | None) -> dict[str, str]:
    """Return the header with the key. Raises ValueError with a sentence if the key cannot be sent."""
    if not key:
        return {}
    if not (key.isascii() and key.isprintable()):
        raise ValueError("The key cannot be sent: FORGER_API_KEY is made of printable ASCII characters.")
    return {"Authorization": f"Bearer {key}"}


def is_local(url: str) -> bool:
    """Return whether the address is this machine's own, so that there is no proxy on the way."""
    name = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
