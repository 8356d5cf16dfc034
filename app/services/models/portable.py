"""Export a version for use without Forger: its files in a format, written once, with a model card, as a zip.

A child process with torch writes the files (serving.portable.main), within the setting max_export_seconds. They are
kept beside the artifacts by the sha256 of the export, and deleted with it or once nobody requests them any more: they
can be written again.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from app.core.concurrency import Limiter
from app.core.errors import FieldError, Invalid, NoEngine
from app.core.logging import get_logger
from app.core.sandbox import environment
from app.core.settings import CHECKOUT, Settings, get_settings
from app.core.store import FindReferenced, Store, old_entries
from app.services.capacity import admission
from app.services.models import card, registry
from app.services.views import VersionView
from models.spec import portable
from models.spec.portable import PortableFormat

log = get_logger(__name__)

REPORT_FILE, DRAWN_FILE = "report.json", "drawn.png"
"""files of a finished folder beside those of the format: see serving.portable.main"""
MAX_WAITING = 4
"""exports that may be written, or wait for it, at a time; each blocks a thread"""
UNUSED_S = 7 * 24 * 3600.0
"""seconds after the last request for a format after which its files are deleted"""
KILL_AFTER_S = 5.0
"""seconds after which a child that outlived its own alarm is killed"""
NO_TORCH = (
    "This API process cannot export models, because torch is not installed: send this request to an API with torch, "
    "as in the image `worker`."
)
_UNFINISHED = ".unfinished-"
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)
_writing = threading.Lock()
_waiting = Limiter(
    MAX_WAITING, f"{MAX_WAITING} exports are being written already. Send this one later.", retry_after=20
)


@dataclass(frozen=True)
class Bundle:
    """A zip of a version in a format: an open file, its bytes, and the measured parity."""

    version: VersionView
    file: BinaryIO
    size: int
    parity: dict[str, Any]


def bundle(reference: str, format_: PortableFormat) -> Bundle:
    """Return the zip with a version's files in a format, card.md, card.json and samples.png, if there is a picture.

    Equal versions give equal bytes. Raises NotFound, Invalid if the format cannot hold the model or the export takes
    too long, Conflict for a damaged file, Busy, NoRoom, NoEngine.
    """
    version, settings = registry.find(reference), get_settings()
    export = Store(settings.artifacts).verified_path(version.export_sha256, version.reference)
    if (sentence := portable.refusal(format_, export.stat().st_size)) is not None:
        raise _refused(sentence)
    folder = _written(version, format_, export, settings)
    report = json.loads((folder / REPORT_FILE).read_text())
    samples = card.sample_picture(version) or _bytes_if_there(folder / DRAWN_FILE)
    content = card.build(version, format_, report, has_samples=samples is not None)
    texts = {"card.md": card.markdown(content).encode(), "card.json": card.as_json(content)}
    pictures = {} if samples is None else {"samples.png": samples}
    file = _zip([folder / name for name in report["files"]], texts | pictures, settings)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return Bundle(version, file, size, report["parity"])


def delete_stale(find_referenced: FindReferenced, older_than_s: float) -> None:
    """Delete old folders that are unfinished, whose export is gone, or that nobody requested for UNUSED_S."""
    exported = get_settings().exported
    old, unused = old_entries(exported, older_than_s), {*old_entries(exported, UNUSED_S)}
    referenced = find_referenced({_export_of(path) for path in old})
    for path in old:
        if path in unused or _export_of(path) not in referenced:
            shutil.rmtree(path, ignore_errors=True)


def _export_of(folder: Path) -> str:
    """Return the sha256 in a folder's name; of an unfinished one another text."""
    return folder.name.partition("-")[0]


def _folder(settings: Settings, sha256: str, format_: PortableFormat) -> Path:
    return settings.exported / f"{sha256}-{format_}"


def _bytes_if_there(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _written(version: VersionView, format_: PortableFormat, export: Path, settings: Settings) -> Path:
    """Return the complete folder of the files; write it if there is none. One is written at a time."""
    folder = _folder(settings, version.export_sha256, format_)
    if _is_complete(folder):
        return folder
    if find_spec("torch") is None:
        raise NoEngine(NO_TORCH)
    admission.require_room(export.stat().st_size)
    with _waiting.place(), _writing:
        if not _is_complete(folder):
            _write(version, format_, export, folder, settings)
    return folder


def _is_complete(folder: Path) -> bool:
    """Return whether the folder is complete; if so, it counts as used now."""
    if not (folder / REPORT_FILE).is_file():
        return False
    os.utime(folder)
    return True


def _write(version: VersionView, format_: PortableFormat, export: Path, folder: Path, settings: Settings) -> None:
    """Let a child process write the files beside the folder, and move them there once they are complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
    try:
        _run_child(version, format_, export, unfinished, settings)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _run_child(version: VersionView, format_: PortableFormat, export: Path, out: Path, settings: Settings) -> None:
    seconds = settings.max_export_seconds
    paths = str(export), format_, str(out), str(seconds), str(settings.data or "")
    late = _refused(
        f"Writing {version.reference} as {format_} took more than {seconds} s (max_export_seconds). "
        f"Take {'torch_export or ' if format_ == 'onnx' else ''}safetensors, or raise FORGER_MAX_EXPORT_SECONDS."
    )
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-W", "ignore", "-m", "serving.portable.main", *paths],
            cwd=CHECKOUT,
            env=environment.select(environment.PORTER, PYTHONPATH=environment.python_path(CHECKOUT)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds + KILL_AFTER_S,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise late from None
    if (out / REPORT_FILE).is_file():
        return
    if done.returncode == -signal.SIGALRM:
        raise late
    log.error("export_failed", model=version.reference, format=format_, status=done.returncode, log=_tail(done.stderr))
    others = " or ".join(other for other in portable.SUFFIXES if other != format_)
    raise _refused(f"{version.reference} could not be written as {format_}; the log says why. Take {others}.")


def _tail(stderr: bytes) -> str:
    return stderr[-2000:].decode(errors="replace")


def _refused(sentence: str) -> Invalid:
    return Invalid(sentence, code="format_cannot", errors=(FieldError("/format", sentence),))


def _zip(files: list[Path], texts: dict[str, bytes], settings: Settings) -> BinaryIO:
    """Return an open zip without a name, which the system deletes once it is closed. Nothing is compressed."""
    settings.incoming.mkdir(parents=True, exist_ok=True)
    out = tempfile.TemporaryFile(dir=settings.incoming)  # noqa: SIM115  # the reply closes it
    with zipfile.ZipFile(out, "w") as archive:
        for path in files:
            with (
                path.open("rb") as source,
                archive.open(zipfile.ZipInfo(path.name, _ZIP_DATE), "w", force_zip64=True) as target,
            ):
                shutil.copyfileobj(source, target, 1 << 20)
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_DATE), text)
    return out
