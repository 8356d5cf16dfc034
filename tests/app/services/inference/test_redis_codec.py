"""Payloads in Redis: any bytes either decode or raise PayloadUnreadable."""

import json
import random

import numpy as np
import pytest

from app.services.inference.redis_codec import PayloadUnreadable, pack, unpack

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
JUNK = {
    "nothing": b"",
    "no line": b"{}",
    "no JSON": b"{\n",
    "no UTF-8": b"\xff\n",
    "a list": b"[1]\n",
    "a number": b"7\n",
    "null": b"null\n",
    "deep": b"[" * 100_000 + b"\n",
    "no dtype": b'{"shape": [1]}\n0',
    "an unknown dtype": b'{"shape": [1], "dtype": "q9"}\n0',
    "a dtype that is a number": b'{"shape": [1], "dtype": 9}\n0',
    "objects": b'{"shape": [1], "dtype": "O"}\n00000000',
    "too few bytes": b'{"shape": [9], "dtype": "|u1"}\n0',
    "half a number": b'{"shape": [1], "dtype": "<f4"}\n00000',
    "a shape of words": b'{"shape": ["a"], "dtype": "|u1"}\n0',
    "a shape without end": b'{"shape": [99999999999999999999], "dtype": "|u1"}\n0',
}


def test_packed_array_is_unpacked_unchanged() -> None:
    head, array = unpack(pack({"id": "one"}, ARRAY))
    assert head["id"] == "one"
    assert array is not None
    assert (array == ARRAY).all()
    assert unpack(pack({"id": "one"})) == ({"id": "one"}, None)


def test_array_of_16_bits_keeps_its_type() -> None:
    _, array = unpack(pack({}, ARRAY.astype(np.uint16) * 257))
    assert array is not None
    assert array.dtype == np.uint16
    assert (array == ARRAY.astype(np.uint16) * 257).all()


@pytest.mark.parametrize("name", JUNK)
def test_junk_raises_payload_unreadable(name: str) -> None:
    with pytest.raises(PayloadUnreadable):
        unpack(JUNK[name])


def test_payload_with_changed_bytes_decodes_or_raises_payload_unreadable() -> None:
    rng, payload = random.Random(1), pack({"id": "one", "n": [1, 2.5, None]}, ARRAY)
    unreadable = 0
    for _ in range(3000):
        changed = bytearray(payload)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        try:
            head, _ = unpack(bytes(changed[: rng.randint(0, len(changed))]))
        except PayloadUnreadable:
            unreadable += 1
        else:
            json.dumps(head)
    assert unreadable > 300
