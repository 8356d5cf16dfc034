"""What the client and the service agree on: versions, states, limits, names of files, and where a service is found."""

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
"""Ends: nothing happens to such a job by itself."""
TRAIN, EVALUATE, GENERATE, TRANSLATE = "train", "evaluate", "generate", "translate"
"""the kinds of job"""
TableFormat = Literal["csv", "parquet"]

KEY_LENGTH = 255
"""characters of an Idempotency-Key"""
NAME_LENGTH = 63
"""characters of what a client names"""
REPLY_POINTS, REPLY_POINTS_LEAST, REPLY_POINTS_MOST = 500, 10, 5000
"""points of a curve in one reply, unless it says how many"""

ID_END = 8
"""characters at the end of an id that mostly tell it apart"""

LABELS, LEFT_OUT = "labels.csv", "left_out.csv"
"""tables beside the pictures of a shard: their classes; and those that could not be translated, with the reason"""
SERVICE_FILE = "service.json"
"""in a service's home, as long as it runs: {"url", "pid"}"""


def running_at(home: Path) -> str | None:
    """Return the address of the service that runs from this home; None when none does."""
    try:
        told = json.loads((home / SERVICE_FILE).read_text())
        os.kill(told["pid"], 0)
    except PermissionError:  # it runs, as another user
        return str(told["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(told["url"])
