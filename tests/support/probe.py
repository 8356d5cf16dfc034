"""Attempts that a hijacked child process would make. Uses only the standard library: it runs in a sandbox."""

import ctypes
import errno
import fcntl
import os
import platform
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DONE = "done"
_PTRACE = {"x86_64": 101, "aarch64": 117}
_IO_URING_SETUP, _PIDFD_OPEN = 425, 434
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Targets:
    """Targets of the attempts: another process, a file in the home, and a Unix socket and a port with listeners."""

    process: int
    file: Path
    unix: str
    port: int


def attempts(targets: Targets) -> dict[str, str]:
    """Make all attempts; return for each DONE or the name of the error."""
    other = targets.process
    attempt_by_name: dict[str, Callable[[], object]] = {
        "connect to Redis": lambda: _connect(socket.AF_UNIX, targets.unix),
        "connect TCP": lambda: _connect(socket.AF_INET, ("127.0.0.1", targets.port)),
        "bind TCP": lambda: _bind(("127.0.0.1", 0)),
        "bind an abstract socket": lambda: _bind(f"@forger-probe-{os.getpid()}"),
        "read another's environment": lambda: Path(f"/proc/{other}/environ").read_bytes(),
        "read a file outside": lambda: targets.file.read_bytes(),
        "read the accounts": lambda: Path("/etc/passwd").read_bytes(),
        "list a folder outside": lambda: os.listdir(targets.file.parent),
        "write a file": lambda: targets.file.with_name("new").open("wb").close(),
        "rename a file": lambda: _there_and_back(targets.file),
        "remove a file": lambda: targets.file.with_name("spare").unlink(),
        "change a mode": lambda: targets.file.chmod(0o600),
        "link a file": lambda: os.link(targets.file, targets.file.with_name("link")),
        "start a program": lambda: _wait(os.posix_spawn("/bin/true", ["true"], {})),
        "become a program": _exec,
        "fork": lambda: _wait(_fork()),
        "use io_uring": lambda: _call(_IO_URING_SETUP, 1, ctypes.create_string_buffer(120)),
        "make a user namespace": lambda: _in_child(lambda: _checked(_libc.unshare(0x10000000))),
        "have signals sent": lambda: _set_owner(other),
        "hold a handle of another": lambda: _call(_PIDFD_OPEN, other, 0),
        "trace another": lambda: _call(_PTRACE[platform.machine()], 16, other, 0, 0),
        "kill another": lambda: os.kill(other, signal.SIGKILL),
    }
    return {name: _outcome(attempt) for name, attempt in attempt_by_name.items()}


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return DONE


def _connect(family: int, address: object) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(address)  # type: ignore[arg-type]


def _bind(address: object) -> None:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind(address.replace("@", "\0") if isinstance(address, str) else address)  # type: ignore[arg-type]


def _there_and_back(file: Path) -> None:
    file.rename(file.with_name("renamed")).rename(file)


def _fork() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return child


def _exec() -> None:
    """Execute a program in a child, or in this process where forking is forbidden."""
    _in_child(lambda: os.execv("/bin/true", ["true"]))


def _in_child(work: Callable[[], object]) -> None:
    try:
        child = os.fork()
    except PermissionError:
        work()
        return
    if child == 0:
        try:
            work()
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    _wait(child)


def _wait(child: int) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))


def _set_owner(process: int) -> None:
    """Create a pipe whose signals go to another process."""
    read, write = os.pipe()
    try:
        fcntl.fcntl(read, fcntl.F_SETOWN, process)
    finally:
        os.close(read)
        os.close(write)


def _call(number: int, *arguments: object) -> int:
    return _checked(_libc.syscall(number, *arguments))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
