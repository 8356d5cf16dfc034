"""Thousands of seeded requests, most of them wrong: each is answered or refused, none breaks the service."""

import copy
import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from fastapi import FastAPI
from httpx2 import InvalidURL
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from app.services.jobs import lifecycle
from tests.app.api.conftest import Publish
from tests.app.api.test_problems import a_problem

REQUESTS = 500
"""of each seed"""
SEEDS = range(4)
SEEDED = settings(database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
JOB = {
    "recipe": "cdcgan",
    "dataset": "digits",
    "seed": 1,
    "budget": {"steps": 3},
    "overrides": {"batch_size": 4, "generator": {"kind": "dcgan", "width": 8}, "penalties": []},
    "model": "fuzzed",
}
HUGE = 10**40
SCALARS = [
    None, True, False, 0, -1, 1, 7, 2**31, 2**63, HUGE, -HUGE, 1e308, 1e-320, float("nan"), float("inf"), 0.5,
    "", "7", "nan", "each", "digits", "cdcgan", "../..", "..%2f..", "/etc/passwd", "a" * 5000, "é中\u202e", "\x00",
    "\ud800", "' OR 1=1 --", "fuzzed@1", "fuzzed@99999999999999999999", "@", "<script>", "job_none", "-inf",
]  # fmt: skip
LATIN = [value for value in map(str, SCALARS) if value.isascii() and value.isprintable() and len(value) < 200]
PATHS = [
    "/%2e%2e/%2e%2e/etc/passwd", "/datasets/..%2f..%2fetc%2fpasswd", "/models/%00", "/models/a%2fb", "//jobs", "/jobs/",
    "/jobs//events", "/JOBS", "/jobs/job_none/../..", "/jobs/%ff", "/models/fuzzed@1/x", "/%", "/jobs/{job_id}",
]  # fmt: skip
MEDIA = ["application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", "", "image/png"]
ACCEPTS = ["*/*", "image/*", "text/event-stream", "application/json", "text/html", "image/webp;q=0", "q=;,,", "\x7f"]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]


def picture(format_: str = "PNG", side: int = 20, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(side * side * 3, dtype=np.uint8).reshape(side, side, 3)).convert(mode).save(out, format_)
    return out.getvalue()


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


FILES = [
    b"", b"a line of text", picture(), picture("JPEG"), picture("JPEG")[:200], picture("TIFF", mode="CMYK"),
    picture("GIF"), picture(mode="P"), picture()[:-20], b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, b"II*\x00" + b"\xff" * 60,
    archive(), archive(("a.png", picture())), archive(("../a.png", picture())), archive(("x/y.zip", archive())),
    archive(*((f"{name}/{n}.png", picture(side=17 + n)) for name in "ab" for n in range(3))), archive(("a", b""))[:40],
]  # fmt: skip


TRANSLATION = json.dumps({"kind": "translate", "model": "night"})
Operation = tuple[str, str, dict[str, Any]]
"""Path, method and description of one operation of the OpenAPI document."""


def doors_of(client: TestClient) -> list[Operation]:
    assert isinstance(client.app, FastAPI)
    paths = client.app.openapi()["paths"]
    found = [(path, method, room[method]) for path, room in sorted(paths.items()) for method in sorted(room)]
    # What takes a body is what most can go wrong with.
    return found + [door for door in found if "requestBody" in door[2]] * 5


@st.composite
def requests(draw: st.DrawFn, doors: list[Operation], known: list[str]) -> dict[str, Any]:
    """What to send to some door: mostly what it knows, often with something wrong."""
    path, method, operation = draw(st.sampled_from(doors))
    strange = draw(st.integers(0, 19))
    content, media = draw(_content(operation))
    return {
        "method": draw(st.sampled_from(METHODS)) if strange == 0 else method,
        "url": draw(st.sampled_from(PATHS)) if strange == 1 else draw(_filled(path, known)),
        "params": draw(_query(operation, known)),
        "headers": media | draw(_headers()),
        **content,
    }


@st.composite
def _filled(draw: st.DrawFn, path: str, known: list[str]) -> str:
    for part in [part for part in path.split("/") if part.startswith("{")]:
        value = draw(st.sampled_from([*known * 3, *LATIN]))
        path = path.replace(part, quote(value, safe=draw(st.sampled_from(["", "@", "/@."]))))
    return path


@st.composite
def _query(draw: st.DrawFn, operation: dict[str, Any], known: list[str]) -> list[tuple[str, str]]:
    names = [item["name"] for item in operation.get("parameters", []) if item["in"] == "query"]
    names = names * 3 + ["unknown"] * (draw(st.integers(0, 9)) == 0)
    if not names:
        return []
    return draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(LATIN + known)), max_size=3))


@st.composite
def _headers(draw: st.DrawFn) -> dict[str, str]:
    names = ["if-none-match", "range", "last-event-id", "x-request-id", "idempotency-key", "authorization"]
    chosen = draw(st.dictionaries(st.sampled_from(names), st.sampled_from(LATIN), max_size=2))
    return chosen | draw(st.sampled_from([{}, *({"accept": accept} for accept in ACCEPTS)]))


@st.composite
def _content(draw: st.DrawFn, operation: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The body, and its media type where the client does not name it by itself."""
    wanted = operation.get("requestBody", {"content": {}})["content"]
    if draw(st.integers(0, 14)) == 0:
        junk = draw(st.binary(max_size=200) | st.sampled_from([b"[" * 9000, b"{}", b"null", b"--x\r\n\r\n--x--"]))
        return {"content": junk}, {"content-type": draw(st.sampled_from(MEDIA))}
    media = draw(st.sampled_from(sorted(wanted))) if wanted else None
    if media == "multipart/form-data":
        known = wanted[media]["schema"].get("properties", {"model": {}, "direction": {}, "quality": {}})
        own = {name: value for name, value in {"job": TRANSLATION, "name": "fuzzed"}.items() if name in known}
        others = [*(known.keys() - {"file", "job"}), *(["unknown"] if draw(st.integers(0, 9)) == 0 else [])]
        fields = draw(st.dictionaries(st.sampled_from(sorted(others)), st.sampled_from(LATIN))) if others else {}
        file = draw(st.sampled_from(LATIN)), draw(st.sampled_from(FILES) | st.binary(max_size=300))
        part = draw(st.sampled_from(["file"] * 9 + ["other"]))
        return {"files": {part: file}, "data": own | fields}, {}
    if media == "application/json":
        return {"content": json.dumps(draw(_mutated())).encode()}, {"content-type": "application/json"}
    return {}, {}


@st.composite
def _mutated(draw: st.DrawFn) -> Any:
    """A good job with up to three values replaced or added, at any depth."""
    body: dict[str, Any] = copy.deepcopy(JOB)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3]))):  # many good ones: some must be accepted
        here = body
        key = draw(st.sampled_from([*here, "surplus", "start_from", "dry_run", "checkpoint", "name"]))
        while isinstance(here.get(key), dict) and here[key] and draw(st.booleans()):
            here = here[key]
            key = draw(st.sampled_from([*here]))
        here[key] = draw(_VALUES)
    return body


_VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "steps", "a", "side"]), inner),
    max_leaves=5,
)


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", SEEDS)
def test_requests_at_random_are_answered_or_refused(
    number: int, client: TestClient, publish: Publish, api_home: Path
) -> None:
    known = [
        publish(name="fuzzed"),
        publish("cyclegan", "day2night", name="night", generator={"width": 4, "blocks": 1}),
    ]
    known += ["fuzzed", "night", "digits", "cdcgan", lifecycle.list_jobs()[0][0].id]
    doors = doors_of(client)
    statuses: Counter[int] = Counter()
    there = {job.id for job in lifecycle.list_jobs(limit=100)[0]}

    @seed(20261122 + number)
    @settings(SEEDED, max_examples=REQUESTS)
    @given(sent=requests(doors, known))
    def throw(sent: dict[str, Any]) -> None:
        try:
            reply = client.request(**sent)
        except (InvalidURL, UnicodeError):  # the client itself cannot write it
            return
        statuses[reply.status_code] += 1
        unready = reply.status_code == 503 and reply.json()["code"] == "not_ready"  # there is no broker here
        assert reply.status_code < 500 or unready, (sent, reply.text)
        if reply.status_code >= 400 and sent["method"] != "HEAD":
            a_problem(reply, reply.status_code)
        if reply.status_code == 201 and reply.headers["location"].startswith("/jobs/"):
            there.add(reply.headers["location"].removeprefix("/jobs/"))
        if reply.status_code == 204:
            there.discard(str(sent["url"]).removeprefix("/jobs/"))

    throw()
    print(dict(sorted(statuses.items())))
    assert sum(statuses.values()) > REQUESTS * 0.9
    assert min(statuses[status] for status in (200, 201, 404, 405, 415, 422)) > 2, statuses
    assert {job.id for job in lifecycle.list_jobs(limit=100)[0]} == there, "a refused request left a job behind"
