"""The file in the home that says where the service is, as long as it runs: {"url", "pid"}."""

import json
import os
from pathlib import Path

FILE = "service.json"


def address(home: Path) -> str | None:
    """Of the service that runs from this home; None when none does."""
    try:
        told = json.loads((home / FILE).read_text())
        os.kill(told["pid"], 0)
    except PermissionError:  # it runs, as another user
        return str(told["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(told["url"])
