"""Suspend a runner before an access to a file: TEST_SUSPEND_AT=3 is the third. All are logged to TEST_ACCESS_LOG.

Python imports this by itself in a process whose PYTHONPATH holds this folder.
"""

import itertools
import os
import signal
import sys

CHANGES = {"os.remove", "os.rename", "os.rmdir", "os.link", "os.mkdir", "shutil.rmtree"}
HOME, ACCESS_LOG = os.environ["FORGER_HOME"], os.environ["TEST_ACCESS_LOG"]
AT = int(os.environ["TEST_SUSPEND_AT"])
numbers = itertools.count(1)


def note_access(event: str, args: tuple[object, ...]) -> None:
    """Log removing, renaming and creating; and opening a file of the job's folder, even to read it."""
    path = str(args[0]) if args else ""
    opens = event == "open" and "/checkpoints/" in path
    if not (event in CHANGES and HOME in path) and not opens:
        return
    number = next(numbers)  # at once: other threads access files while this one writes the log
    with open(ACCESS_LOG, "a") as log:  # opening the log is not itself an access: its path has no /checkpoints/
        log.write(f"{event} {path.removeprefix(HOME)}\n")
    if number == AT:
        os.kill(os.getpid(), signal.SIGSTOP)


if "worker.runners.main" in sys.orig_argv:
    sys.addaudithook(note_access)
