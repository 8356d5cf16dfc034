"""Limits of jobs that leave many pictures, and their refusals."""

from app.core.errors import FieldError, refused
from app.core.limits import GENERATED_MOST, SHARDS_MOST
from app.core.settings import get_settings


def too_many(pointer: str, pictures: int) -> list[FieldError]:
    if pictures <= GENERATED_MOST:
        return []
    return [FieldError(pointer, f"{pictures} pictures are more than {GENERATED_MOST} (generated). Ask for fewer.")]


def too_large(pointer: str, pictures: int, picture_bytes: int, shard: int) -> list[FieldError]:
    """Refuse more bytes and more shards than the service keeps of one job."""
    found, most = [], get_settings().max_bulk_bytes
    if pictures * picture_bytes > most:
        sentence = (
            f"{pictures} times {picture_bytes} bytes are more than {most} (max_bulk_bytes). Ask for fewer or smaller."
        )
        found.append(FieldError(pointer, sentence))
    if (files := -(-pictures // shard)) > SHARDS_MOST:
        found.append(FieldError("/shard", f"{files} shards are more than {SHARDS_MOST} (shards). Ask for larger ones."))
    return found


def refuse(found: list[FieldError]) -> None:
    """Raise Invalid, if there is anything."""
    if found:
        raise refused("The job was refused.", found, "bulk_refused")
