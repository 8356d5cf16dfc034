"""Suspends a runner before one of its touches of a file: TEST_SUSPEND_AT=3 is the third. TEST_TOUCHES gets them all.

Python imports this by itself in a process whose PYTHONPATH holds this folder.
"""

import os
import signal
import sys

TOUCHES = {"os.remove", "os.rename", "os.rmdir", "os.link", "os.mkdir", "shutil.rmtree"}
HOME, NOTES = os.environ["FORGER_HOME"], os.environ["TEST_TOUCHES"]
AT = int(os.environ["TEST_SUSPEND_AT"])
touches = 0


def touch(event: str, args: tuple[object, ...]) -> None:
    """Removing, renaming, making; and opening a file of the job's folder, be it to read what another might remove."""
    global touches
    path = str(args[0]) if args else ""
    opens = event == "open" and "/checkpoints/" in path
    if not (event in TOUCHES and HOME in path) and not opens:
        return
    touches += 1
    with open(NOTES, "a") as notes:  # its own opening is not below the home
        notes.write(f"{event} {path.removeprefix(HOME)}\n")
    if touches == AT:
        os.kill(os.getpid(), signal.SIGSTOP)


if "worker.runners.main" in sys.orig_argv:
    sys.addaudithook(touch)
