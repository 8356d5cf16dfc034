"""Where the service is, when nobody says: FORGER_URL, else the one that runs from this home, else the usual port."""

import ipaddress
from urllib.parse import urlsplit

from app.core import running
from app.core.settings import Settings

USUAL = "http://127.0.0.1:8000"


def find(settings: Settings) -> str:
    """The service's address, without a slash at its end."""
    return settings.url or running.address(settings.home) or USUAL


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
