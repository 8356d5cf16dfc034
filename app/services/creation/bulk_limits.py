"""Limits of jobs that write many pictures."""

from app.core.errors import FieldError, invalid_request
from app.core.limits import MAX_GENERATED_PICTURES, MAX_SHARDS
from app.core.settings import get_settings


def pictures_refusals(pointer: str, pictures: int) -> list[FieldError]:
    """Return a refusal at `pointer` if a job has too many pictures."""
    if pictures <= MAX_GENERATED_PICTURES:
        return []
    return [
        FieldError(pointer, f"{pictures} pictures are more than {MAX_GENERATED_PICTURES} (generated). Ask for fewer.")
    ]


def size_refusals(pointer: str, pictures: int, picture_bytes: int, shard: int) -> list[FieldError]:
    """Return refusals if a job's pictures take too many bytes or its shards of `shard` pictures are too many."""
    refusals, max_bytes = [], get_settings().max_bulk_bytes
    if pictures * picture_bytes > max_bytes:
        sentence = (
            f"{pictures} times {picture_bytes} bytes are more than {max_bytes} (max_bulk_bytes). "
            "Ask for fewer or smaller pictures."
        )
        refusals.append(FieldError(pointer, sentence))
    if (files := -(-pictures // shard)) > MAX_SHARDS:
        refusals.append(
            FieldError("/shard", f"{files} shards are more than {MAX_SHARDS} (shards). Ask for larger ones.")
        )
    return refusals


def raise_if_refused(refusals: list[FieldError]) -> None:
    """Raise Invalid if there are refusals."""
    if refusals:
        raise invalid_request("The job was refused.", refusals, "bulk_refused")
