"""Answer with JSON, or with a table as CSV or Parquet, by `format` or Accept."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fastapi import Response

from app.api.deps import negotiate
from app.api.openapi.refusals import refusal_responses
from app.core import tables
from app.core.tables import Table
from forger.schemas.base import Out

Format = Literal["json", "csv", "parquet"]
_MEDIA: Mapping[str, Format] = {"application/json": "json", **tables.MEDIA_TYPES}
TABLE_RESPONSES: dict[int | str, dict[str, Any]] = refusal_responses(406) | {
    200: {"content": {media: {} for media in tables.MEDIA_TYPES}}
}
"""`responses` of routes that answer by `table_reply`"""
_MEDIA_OF = {format_: media for media, format_ in _MEDIA.items()}


def table_reply(body: Out, table: Callable[[], Table], format_: Format | None, accept: str | None) -> Response:
    """Return the body as JSON or its table. Raises NotAcceptable if Accept names none of the formats."""
    chosen = format_ or _MEDIA[negotiate(accept, tuple(_MEDIA))]
    data = body.model_dump_json().encode() if chosen == "json" else tables.encode(table(), chosen)
    return Response(data, media_type=_MEDIA_OF[chosen], headers={"Vary": "Accept"})
