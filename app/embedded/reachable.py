"""The addresses by which a service that listens on all of its machine can be opened."""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from app.core.settings import Settings

ALL = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""addresses that stand for all of a machine, and where it is asked itself"""

_SIOCGIFADDR = 0x8915
_NAME_BYTES = 16
_IF_INET6 = Path("/proc/net/if_inet6")
_LINK_SCOPE = 0x20


def spelled(host: str) -> str:
    """The host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def urls(settings: Settings, port: int) -> list[str]:
    """Where a client opens the service: one URL, or localhost and each interface where it listens on all.

    Interfaces that FORGER_HOSTS leaves out are left out: their names would be refused.
    """
    if (host := settings.host) not in ALL:
        return [f"http://{spelled(host)}:{port}"]
    outside = [address for address in _interfaces(host) if not ipaddress.ip_address(address).is_loopback]
    own = [address for address in outside if settings.hosts is None or address in settings.names]
    return [f"http://{spelled(name)}:{port}" for name in ("localhost", *own)]


def _interfaces(host: str) -> Iterator[str]:
    """Addresses of the interfaces that are up. `::` takes those of IPv4 too, as Linux has it by default."""
    yield from _ipv4()
    if host == "::" and _IF_INET6.exists():
        yield from _ipv6(_IF_INET6.read_text())


def _ipv4() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                told = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[: _NAME_BYTES - 1]))
            except OSError:  # an interface without an address
                continue
            yield socket.inet_ntoa(told[20:24])


def _ipv6(table: str) -> Iterator[str]:
    """Of the kernel's table; those of one link alone need a zone that no browser takes."""
    for line in table.splitlines():
        digits, _, _, scope, *_ = line.split()
        if int(scope, 16) != _LINK_SCOPE:
            yield str(ipaddress.IPv6Address(int(digits, 16)))
