"""List the URLs by which clients can reach the service."""

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from app.core.settings import Settings

WILDCARD_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""addresses that stand for all interfaces of a machine, with the loopback address to use on the machine itself"""

_SIOCGIFADDR = 0x8915
_NAME_BYTES = 16
_IF_INET6 = Path("/proc/net/if_inet6")
_LINK_SCOPE = 0x20


def url_host(host: str) -> str:
    """Return the host as a URL spells it."""
    return f"[{host}]" if ":" in host else host


def urls(settings: Settings, port: int) -> list[str]:
    """Return the service's URLs: one, or those of localhost and each interface if it listens on all.

    Interfaces that FORGER_HOSTS does not name are left out: the service would refuse their names.
    """
    if (host := settings.host) not in WILDCARD_ADDRESSES:
        return [f"http://{url_host(host)}:{port}"]
    outside = [address for address in _interfaces(host) if not ipaddress.ip_address(address).is_loopback]
    allowed = [address for address in outside if settings.hosts is None or address in settings.host_names]
    return [f"http://{url_host(name)}:{port}" for name in ("localhost", *allowed)]


def _interfaces(host: str) -> Iterator[str]:
    """Yield the addresses of the interfaces that are up. `::` includes those of IPv4, which is Linux's default."""
    yield from _ipv4()
    if host == "::" and _IF_INET6.exists():
        yield from _ipv6(_IF_INET6.read_text())


def _ipv4() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            try:
                request = fcntl.ioctl(control, _SIOCGIFADDR, struct.pack("256s", name.encode()[: _NAME_BYTES - 1]))
            # The interface has no address.
            except OSError:
                continue
            yield socket.inet_ntoa(request[20:24])


def _ipv6(table: str) -> Iterator[str]:
    """Yield the addresses of the kernel's table, without link-local ones: they need a zone, which browsers refuse."""
    for line in table.splitlines():
        digits, _, _, scope, *_ = line.split()
        if int(scope, 16) != _LINK_SCOPE:
            yield str(ipaddress.IPv6Address(int(digits, 16)))
