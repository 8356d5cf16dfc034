"""Where the time goes until an attempt's first step."""

import time


class Beginning:
    """Parts of the way, one after the other: each ends where the next one begins."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self.seconds: dict[str, float] = {}
        """by the part's name with `_s` behind it, to milliseconds"""

    def over(self, part: str) -> None:
        """A part has just ended."""
        now = time.monotonic()
        self.seconds[f"{part}_s"] = round(now - self._since, 3)
        self._since = now
