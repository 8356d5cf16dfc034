"""Create identifiers: a prefix and a UUIDv7, so that ids sort by creation time."""

import re
import secrets
import threading
import time

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def _tick() -> tuple[int, int]:
    """Return milliseconds and a 12-bit counter; the pair never decreases within this process."""
    global _last_ms, _counter
    with _lock:
        now = time.time_ns() // 1_000_000
        if now > _last_ms:
            _last_ms, _counter = now, secrets.randbits(10)
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, 0
        return _last_ms, _counter


def uuid7_hex() -> str:
    """Return a UUID of version 7 (RFC 9562) as 32 hex digits."""
    ms, counter = _tick()
    value = (ms << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{value:032x}"


def is_id(prefix: str, text: str) -> bool:
    """Return whether `text` has the form of an id with this prefix."""
    return re.fullmatch(rf"{prefix}_[0-9a-f]{{32}}", text) is not None


def new_id(prefix: str) -> str:
    return f"{prefix}_{uuid7_hex()}"
