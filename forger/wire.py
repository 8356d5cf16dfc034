"""Define what client and service share: version, job states, limits, file names, and the file with the address."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Literal

VERSION = "0.1.0"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
"""states in which a job has ended"""
TRAIN, EVALUATE, GENERATE, TRANSLATE, AUGMENT = "train", "evaluate", "generate", "translate", "augment"
"""the kinds of job"""
ARMS = ("real", "generated", "both", "classical")
"""pictures with which an augmentation trains classifiers: real ones, generated ones, both, and changed real ones"""
HELD_OUT_EVERY = 5
"""of a dataset without a test split an augmentation holds out every such picture of each class"""
TableFormat = Literal["csv", "parquet"]
ExportFormat = Literal["safetensors", "onnx", "torch_export"]

MAX_KEY_CHARACTERS = 255
"""characters of an Idempotency-Key"""
MAX_NAME_CHARACTERS = 63
"""characters of a name that a client chooses"""
DEFAULT_REPLY_POINTS, MIN_REPLY_POINTS, MAX_REPLY_POINTS = 500, 10, 5000
"""points of a curve in one reply: the default, the least and the most"""

ID_SUFFIX_LENGTH = 8
"""characters at the end of an id that usually identify it"""

LABELS_FILE, LEFT_OUT_FILE = "labels.csv", "left_out.csv"
"""tables in a shard: the pictures' classes; the pictures that could not be translated, with the reason"""
PNG_KEYWORD = "forger"
"""keyword of the text in a PNG that holds the recipe of the picture as JSON"""
MAX_PNG_TEXT_BYTES = 4000
"""bytes of that JSON"""
SERVICE_FILE = "service.json"
"""file in a home while a service runs from it: {"url", "pid"}"""


def running_service_url(home: Path) -> str | None:
    """Return the address of the service that runs from this home; None if none does."""
    try:
        service = json.loads((home / SERVICE_FILE).read_text())
        os.kill(service["pid"], 0)
    # The service runs as another user.
    except PermissionError:
        return str(service["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(service["url"])
