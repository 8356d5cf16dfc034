"""Find Chromium and the options with which tests, benches and screenshots start it."""

import os
import shutil

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)  # fmt: skip
"""options that keep Chromium from the network and from a GPU; root cannot start it with its sandbox"""


def find_chromium() -> str | None:
    """Return the path of an installed Chromium; None if there is none."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)
