"""GET /limits: every limit as data."""

from fastapi import APIRouter

from app.api.deps import TheSettings
from app.core import limits
from app.core.settings import Settings
from data.decode import MAX_JPEG_SCANS
from data.uploads.read_untrusted import MIN_SIDE
from forger import wire
from forger.schemas.catalog import LimitList, LimitOut

router = APIRouter(tags=["catalogue"])

UNITS = {
    "bytes": "bytes",
    "pixels": "pixels",
    "samples": "pictures",
    "pictures": "pictures",
    "members": "members",
    "minutes": "minutes",
    "seconds": "seconds",
    "devices": "devices",
    "parameters": "weights",
    "steps": "steps",
    "jobs": "jobs",
}
"""by the last word of a setting's name"""
FIXED = (
    ("limit", limits.PAGE, "entries", "Most entries in one page of a list."),
    ("events", limits.EVENTS, "events", "Most events in one JSON reply."),
    (
        "points",
        wire.REPLY_POINTS_MOST,
        "points",
        f"Most points of a curve in one reply; {wire.REPLY_POINTS} unless asked, least {wire.REPLY_POINTS_LEAST}.",
    ),
    ("streams", limits.STREAMS, "streams", "Most streams of events that are open at once."),
    ("parameters", limits.PARAMETERS, "parameters", "Most parameters of an address."),
    ("values", limits.VALUES, "values", "Most values in a JSON body, at any depth."),
    ("depth", limits.DEPTH, "levels", "Most lists and objects inside each other in a JSON body."),
    ("errors", limits.ERRORS, "errors", "Most refused parts that one reply tells."),
    ("head", limits.HEAD_BYTES, "bytes", "Longest address with its headers; a trailer is as long at most."),
    ("head_seconds", limits.HEAD_SECONDS, "seconds", "Longest time from connecting to the end of a request's head."),
    ("body_rate", limits.BODY_RATE, "bytes/s", "Least rate at which a body comes."),
    ("body_seconds", limits.BODY_SECONDS, "seconds", "Time over which that rate is averaged."),
    ("seed", limits.SEED_LIMIT - 1, "", "Greatest seed; the least is 0."),
    ("min_side", MIN_SIDE, "pixels", "Shortest side of a picture that is translated."),
    ("scans", MAX_JPEG_SCANS, "scans", "Most scans of one uploaded JPEG: how often it draws its pixels."),
    ("reading_cpu_seconds", limits.READING_CPU_S, "seconds", "Most processor time to read one uploaded picture."),
    (
        "intake_cpu_seconds",
        limits.INTAKE_CPU_S,
        "seconds",
        f"Most processor time to read an uploaded dataset; {limits.INTAKE_CPU_S_PER_MB} more for each MB of it.",
    ),
    ("sent", limits.SENT_MOST, "pictures", "Most pictures that are sent with a job that translates them."),
    ("scale", limits.SCALE, "times", "Most that /sample enlarges by."),
    ("name", wire.NAME_LENGTH, "characters", "Longest name of a model or dataset."),
    ("id", limits.ID_LENGTH, "characters", "Longest id."),
    (
        "evaluated",
        limits.EVALUATED_MOST,
        "examples",
        f"Most examples of an evaluation; least {limits.EVALUATED_LEAST}.",
    ),
    ("generated", limits.GENERATED_MOST, "pictures", "Most pictures that one job generates."),
    ("shard", limits.SHARD_MOST, "pictures", "Most pictures in one shard of a job that generates or translates."),
    ("shards", limits.SHARDS_MOST, "files", "Most shards of one job."),
    ("experiment_jobs", limits.EXPERIMENT_JOBS, "jobs", "Most jobs of one experiment: cases times seeds."),
    ("compared_jobs", limits.COMPARED_JOBS, "jobs", "Most jobs that are compared at once; the least is 2."),
    ("idempotency_key", wire.KEY_LENGTH, "characters", "Longest Idempotency-Key, in printable ASCII."),
)


@router.get("/limits")
def list_limits(settings: TheSettings) -> LimitList:
    """List the limits. A refusal names its limit by the same word."""
    fixed = [LimitOut(name=name, value=value, unit=unit, meaning=meaning) for name, value, unit, meaning in FIXED]
    return LimitList(data=[*_set(settings), *fixed])


def _set(settings: Settings) -> list[LimitOut]:
    """The limits that are settings: those called max_..., and the engine's queue."""
    names = [name for name in Settings.model_fields if name.startswith("max_") or name == "queue_pictures"]
    return [
        LimitOut(
            name=name,
            value=getattr(settings, name),
            unit=UNITS.get(name.rpartition("_")[2], ""),
            meaning=Settings.model_fields[name].description or "",
        )
        for name in names
    ]
