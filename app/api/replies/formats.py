"""Replies that are JSON, or a table as CSV or Parquet, by `format` or Accept."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fastapi import Response

from app.api.deps import negotiate
from app.api.openapi.refusals import refused
from app.core import tables
from app.core.tables import Table
from forger.schemas.base import Out

Format = Literal["json", "csv", "parquet"]
_MEDIA: Mapping[str, Format] = {"application/json": "json", **tables.MEDIA}
REPLIES: dict[int | str, dict[str, Any]] = refused(406) | {200: {"content": {media: {} for media in tables.MEDIA}}}
"""what a route that answers by `reply` adds to its description"""
_MEDIA_OF = {format_: media for media, format_ in _MEDIA.items()}


def reply(body: Out, table: Callable[[], Table], format_: Format | None, accept: str | None) -> Response:
    """Raises NotAcceptable."""
    chosen = format_ or _MEDIA[negotiate(accept, tuple(_MEDIA))]
    data = body.model_dump_json().encode() if chosen == "json" else tables.encode(table(), chosen)
    return Response(data, media_type=_MEDIA_OF[chosen], headers={"Vary": "Accept"})
