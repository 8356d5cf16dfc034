"""Serve GET /limits: every limit as data."""

from fastapi import APIRouter

from app.api.deps import SettingsDep
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
"""units by the last word of a setting's name"""
FIXED_LIMITS = (
    ("limit", limits.MAX_PAGE_ENTRIES, "entries", "Most entries in one page of a list."),
    ("events", limits.MAX_REPLY_EVENTS, "events", "Most events in one JSON reply."),
    (
        "points",
        wire.MAX_REPLY_POINTS,
        "points",
        f"Most points of a curve in one reply; default {wire.DEFAULT_REPLY_POINTS}, least {wire.MIN_REPLY_POINTS}.",
    ),
    ("streams", limits.MAX_EVENT_STREAMS, "streams", "Most streams of events that are open at once."),
    ("parameters", limits.MAX_QUERY_PARAMETERS, "parameters", "Most parameters of an address."),
    ("values", limits.MAX_JSON_VALUES, "values", "Most values in a JSON body, at any depth."),
    ("depth", limits.MAX_JSON_DEPTH, "levels", "Most lists and objects inside each other in a JSON body."),
    ("errors", limits.MAX_REPORTED_ERRORS, "errors", "Most refused parts that one reply names."),
    ("head", limits.MAX_HEAD_BYTES, "bytes", "Longest address with its headers; a trailer is as long at most."),
    ("head_seconds", limits.HEAD_TIMEOUT_S, "seconds", "Longest time from connecting to the end of a request's head."),
    ("body_rate", limits.MIN_BODY_BYTES_PER_S, "bytes/s", "Least rate of a body."),
    ("body_seconds", limits.BODY_RATE_WINDOW_S, "seconds", "Time over which that rate is averaged."),
    ("seed", limits.SEED_LIMIT - 1, "", "Greatest seed; the least is 0."),
    ("min_side", MIN_SIDE, "pixels", "Shortest side of a picture that is translated."),
    ("scans", MAX_JPEG_SCANS, "scans", "Most scans of one uploaded JPEG: how often it draws its pixels."),
    ("reading_cpu_seconds", limits.PICTURE_CPU_S, "seconds", "Most processor time to read one uploaded picture."),
    (
        "intake_cpu_seconds",
        limits.INTAKE_CPU_S,
        "seconds",
        f"Most processor time to read an uploaded dataset; {limits.INTAKE_CPU_S_PER_MB} more for each MB of it.",
    ),
    ("sent", limits.MAX_SENT_PICTURES, "pictures", "Most pictures that are sent with a job that translates them."),
    ("scale", limits.MAX_SCALE, "times", "Most that /sample enlarges by."),
    ("frames", limits.MAX_FRAMES, "pictures", "Most pictures of an interpolation."),
    ("waypoints", limits.MAX_WAYPOINTS, "waypoints", "Most waypoints of an interpolation; the least is 2."),
    ("animation_pixels", limits.MAX_ANIMATION_PIXELS, "pixels", "Most pixels of all frames of an animation."),
    ("terms", limits.MAX_TERMS, "terms", "Most terms of latent arithmetic."),
    ("term_weight", limits.MAX_TERM_WEIGHT, "", "Greatest magnitude of a term's weight."),
    ("latent", limits.MAX_LATENT, "", "Greatest magnitude of a number in a latent that is sent."),
    ("name", wire.MAX_NAME_CHARACTERS, "characters", "Longest name of a model or dataset."),
    ("id", limits.MAX_ID_CHARACTERS, "characters", "Longest id."),
    (
        "evaluated",
        limits.MAX_EVALUATED_EXAMPLES,
        "examples",
        f"Most examples of an evaluation; least {limits.MIN_EVALUATED_EXAMPLES}.",
    ),
    ("generated", limits.MAX_GENERATED_PICTURES, "pictures", "Most pictures that one job generates."),
    (
        "shard",
        limits.MAX_SHARD_PICTURES,
        "pictures",
        "Most pictures in one shard of a job that generates or translates.",
    ),
    ("shards", limits.MAX_SHARDS, "files", "Most shards of one job."),
    ("augmented", limits.MAX_AUGMENTED_PICTURES, "pictures", "Most pictures that one augmentation keeps."),
    (
        "augmentation_seeds",
        limits.MAX_AUGMENTATION_SEEDS,
        "seeds",
        f"Most seeds of an augmentation's classifiers; least {limits.MIN_AUGMENTATION_SEEDS}.",
    ),
    (
        "classifier_steps",
        limits.MAX_CLASSIFIER_STEPS,
        "steps",
        f"Most steps of each classifier of an augmentation; least {limits.MIN_CLASSIFIER_STEPS}.",
    ),
    ("experiment_jobs", limits.MAX_EXPERIMENT_JOBS, "jobs", "Most jobs of one experiment: cases times seeds."),
    ("compared_jobs", limits.MAX_COMPARED_JOBS, "jobs", "Most jobs that are compared at once; the least is 2."),
    (
        "round",
        limits.MAX_ROUND_PICTURES,
        "pictures",
        f"Most pictures of a round of judgements; least {limits.MIN_ROUND_PICTURES}.",
    ),
    ("rounds", limits.MAX_ROUNDS, "rounds", "Most rounds of judgements of one version of a model."),
    ("nearest", limits.MAX_NEAREST, "pictures", "Most training pictures that one search for the nearest returns."),
    ("search_steps", limits.MAX_SEARCH_STEPS, "steps", "Most steps of a search for a latent."),
    ("restarts", limits.MAX_RESTARTS, "attempts", "Most attempts of a search for a latent."),
    ("directions", limits.MAX_DIRECTIONS, "directions", "Most directions that are kept for one version of a model."),
    ("moves", limits.MAX_MOVES, "moves", "Most moves of latents in one request."),
    ("featured", limits.MAX_FEATURE_PICTURES, "pictures", "Most pictures of one request for features."),
    (
        "searched_bytes",
        limits.MAX_SEARCHED_BYTES,
        "bytes",
        "Largest dataset that is searched for the nearest picture, uncompressed at that picture's side.",
    ),
    ("idempotency_key", wire.MAX_KEY_CHARACTERS, "characters", "Longest Idempotency-Key, in printable ASCII."),
)


@router.get("/limits")
def list_limits(settings: SettingsDep) -> LimitList:
    """List the limits. A refusal names its limit by the same name."""
    fixed = [
        LimitOut(name=name, value=value, unit=unit, meaning=meaning) for name, value, unit, meaning in FIXED_LIMITS
    ]
    return LimitList(data=[*_limits_from_settings(settings), *fixed])


def _limits_from_settings(settings: Settings) -> list[LimitOut]:
    """Return the limits that are settings: those called max_..., and queue_pictures."""
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
