"""Serve /models/{name}@{version}/export: a version as files that other programs read."""

from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.api.headers import header_docs
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.api.routes.models import Number
from app.services.models import portable
from models.spec.portable import PortableFormat

router = APIRouter(prefix="/models", tags=["models"], route_class=JsonRoute)
READ_BYTES = 1 << 20
ZIP = "application/zip"


@router.get(
    "/{name}@{version}/export",
    response_class=StreamingResponse,
    responses=refusal_responses(404, 409, 429, 503, 507)
    | {
        200: {
            "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
            "headers": header_docs("X-Forger-Model", "Forger-Parity"),
        }
    },
)
def export_model_version(
    name: str,
    version: Number,
    format: Annotated[
        PortableFormat,
        Query(description="safetensors: weights and recipe; onnx: for onnxruntime; torch_export: for torch.export."),
    ] = "safetensors",
) -> StreamingResponse:
    """Fetch a version as a zip for use without Forger.

    The zip holds files in the format, a model card and samples. The first request for a format writes the files, which
    takes seconds to minutes; later ones send the same bytes.
    """
    bundle = portable.bundle(f"{name}@{version}", format)
    model = bundle.version.reference
    headers = {
        "X-Forger-Model": model,
        "Forger-Parity": _parity_text(bundle.parity),
        "Content-Length": str(bundle.size),
        "Content-Disposition": f'attachment; filename="{model}-{format}.zip"',
    }
    return _FileReply(bundle.file, headers)


class _FileReply(StreamingResponse):
    """A reply with an open file, which it closes; also if the client wants the head only, or disconnects."""

    def __init__(self, file: BinaryIO, headers: dict[str, str]) -> None:
        super().__init__(iter(lambda: file.read(READ_BYTES), b""), media_type=ZIP, headers=headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)


def _parity_text(parity: dict[str, Any]) -> str:
    shown = {name: parity[name] for name in ("max_abs", "mean_abs", "inputs")}
    return "; ".join(f"{name}={'not finite' if value is None else f'{value:.3g}'}" for name, value in shown.items())
