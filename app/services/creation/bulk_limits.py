"""Limits of jobs that write many pictures."""

from app.core.errors import FieldError, refused
from app.core.limits import GENERATED_MOST, SHARDS_MOST
from app.core.settings import get_settings


def pictures_refusals(pointer: str, pictures: int) -> list[FieldError]:
    """Return a refusal at `pointer` if a job has too many pictures."""
    if pictures <= GENERATED_MOST:
        return []
    return [FieldError(pointer, f"{pictures} pictures are more than {GENERATED_MOST} (generated). Ask for fewer.")]


def size_refusals(pointer: str, pictures: int, picture_bytes: int, shard: int) -> list[FieldError]:
    """Return refusals if a job's pictures take too many bytes or its shards of `shard` pictures are too many."""
    refusals, max_bytes = [], get_settings().max_bulk_bytes
    if pictures * picture_bytes > max_bytes:
        sentence = (
            f"{pictures} times {picture_bytes} bytes are more than {max_bytes} (max_bulk_bytes). "
            "Ask for fewer or smaller pictures."
        )
        refusals.append(FieldError(pointer, sentence))
    if (files := -(-pictures // shard)) > SHARDS_MOST:
        refusals.append(
            FieldError("/shard", f"{files} shards are more than {SHARDS_MOST} (shards). Ask for larger ones.")
        )
    return refusals


def raise_if_refused(refusals: list[FieldError]) -> None:
    """Raise Invalid if there are refusals."""
    if refusals:
        raise refused("The job was refused.", refusals, "bulk_refused")
