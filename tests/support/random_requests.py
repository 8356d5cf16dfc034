"""Random requests to the service, most of them wrong, as Hypothesis strategies."""

import copy
import io
import json
import zipfile
from typing import Any
from urllib.parse import quote

import numpy as np
from fastapi import FastAPI
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

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
"""path, method and description of one operation of the OpenAPI document"""


def operations_of(client: TestClient) -> list[Operation]:
    """Return the operations of the API; those with a body, where most can go wrong, several times.

    `POST /jobs` is there more often still: only a small part of its requests is valid, and some jobs must be created.
    """
    assert isinstance(client.app, FastAPI)
    paths = client.app.openapi()["paths"]
    operations = [
        (path, method, methods[method]) for path, methods in sorted(paths.items()) for method in sorted(methods)
    ]
    with_body = [operation for operation in operations if "requestBody" in operation[2]]
    create_job = [operation for operation in operations if operation[:2] == ("/jobs", "post")]
    return operations + with_body * 5 + create_job * 30


@st.composite
def requests(draw: st.DrawFn, operations: list[Operation], known: list[str]) -> dict[str, Any]:
    """Draw the arguments of a request to some operation: mostly valid values, often something wrong."""
    path, method, operation = draw(st.sampled_from(operations))
    kind_of_error = draw(st.integers(0, 19))
    content, media = draw(_content(operation))
    return {
        "method": draw(st.sampled_from(METHODS)) if kind_of_error == 0 else method,
        "url": draw(st.sampled_from(PATHS)) if kind_of_error == 1 else draw(_filled(path, known)),
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
    """Draw the body, and its media type unless the client adds it by itself. One body in eight is of any media type."""
    accepted = operation.get("requestBody", {"content": {}})["content"]
    if draw(st.integers(0, 7)) == 0:
        content = draw(st.binary(max_size=200) | st.sampled_from([b"[" * 9000, b"{}", b"null", b"--x\r\n\r\n--x--"]))
        return {"content": content}, {"content-type": draw(st.sampled_from(MEDIA))}
    media = draw(st.sampled_from(sorted(accepted))) if accepted else None
    if media == "multipart/form-data":
        properties = accepted[media]["schema"].get("properties", {"model": {}, "direction": {}, "quality": {}})
        valid = {name: value for name, value in {"job": TRANSLATION, "name": "fuzzed"}.items() if name in properties}
        others = [*(properties.keys() - {"file", "job"}), *(["unknown"] if draw(st.integers(0, 9)) == 0 else [])]
        fields = draw(st.dictionaries(st.sampled_from(sorted(others)), st.sampled_from(LATIN))) if others else {}
        file = draw(st.sampled_from(LATIN)), draw(st.sampled_from(FILES) | st.binary(max_size=300))
        part = draw(st.sampled_from(["file"] * 9 + ["other"]))
        return {"files": {part: file}, "data": valid | fields}, {}
    if media == "application/json":
        return {"content": json.dumps(draw(_mutated())).encode()}, {"content-type": "application/json"}
    return {}, {}


@st.composite
def _mutated(draw: st.DrawFn) -> Any:
    """Draw a valid job with up to three values replaced or added, at any depth."""
    body: dict[str, Any] = copy.deepcopy(JOB)
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3]))):  # mostly valid: some must be accepted
        parent = body
        key = draw(st.sampled_from([*parent, "surplus", "start_from", "dry_run", "checkpoint", "name"]))
        while isinstance(parent.get(key), dict) and parent[key] and draw(st.booleans()):
            parent = parent[key]
            key = draw(st.sampled_from([*parent]))
        parent[key] = draw(_VALUES)
    return body


_VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["kind", "steps", "a", "side"]), inner),
    max_leaves=5,
)
