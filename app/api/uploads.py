"""Large multipart bodies: a file goes straight to disk, in a folder of our own."""

import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import Request
from starlette.datastructures import FormData, Headers, UploadFile

from app.api.forms import Parts, require_once, without_file
from app.core.errors import FieldError, TooLarge
from app.core.gates import Gate

PLACED = 1 << 20
"""bytes that must have arrived before an upload takes a place from others"""


@dataclass(frozen=True)
class Received:
    """`file` is gone once the block around it ends."""

    file: Path
    fields: dict[str, str]


@asynccontextmanager
async def received(request: Request, folder: Path, max_bytes: int, setting: str, gate: Gate) -> AsyncIterator[Received]:
    """The body's one file, called `file`, and its small fields. It has a place at the gate for the time of the block.

    Raises HTTPException 400, Invalid where the file is missing, TooLarge naming the setting, Busy.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as place:
        parser = _DiskParser(folder, request.headers, _placed(request.stream(), gate, place))
        try:
            yield _checked(await parser.parse(), max_bytes, setting)
        finally:
            with anyio.CancelScope(shield=True):  # a client that leaves must not leave its file here
                await anyio.to_thread.run_sync(parser.close)


async def _placed(body: AsyncIterable[bytes], gate: Gate, place: ExitStack) -> AsyncGenerator[bytes, None]:
    """Pass the body on. Take a place once some of it has arrived, so that one that stalls keeps nobody out."""
    gate.require_free()  # before gigabytes are sent in vain
    arrived, held = 0, False
    async for piece in body:
        arrived += len(piece)
        if not held and arrived >= PLACED:
            held = True
            place.enter_context(gate.entered())
        yield piece
    if not held:
        place.enter_context(gate.entered())


class _DiskParser(Parts):
    """Starlette's own keeps files in memory and then in the system's temporary folder, which may be memory too."""

    def __init__(self, folder: Path, headers: Headers, body: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers, body)
        self._folder = folder
        self._on_disk: list[Any] = []

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        upload = self._current_part.file
        if upload is not None:
            upload.file.close()
            on_disk: Any = tempfile.NamedTemporaryFile(dir=self._folder, prefix="upload-")  # noqa: SIM115 - see close
            upload.file = on_disk
            self._on_disk.append(on_disk)

    def close(self) -> None:
        """Removes the files, those of a body that broke off too: on a thread, for large ones take a while."""
        for file in self._on_disk:
            file.close()


def _checked(form: FormData, max_bytes: int, setting: str) -> Received:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise without_file("'file' is missing")
    require_once(form)
    file.file.flush()
    path = Path(file.file.name or "")
    if path.stat().st_size > max_bytes:
        sentence = f"The file is larger than {max_bytes} bytes ({setting}). Send a smaller one."
        raise TooLarge(sentence, errors=(FieldError("/file", sentence),))
    return Received(path, {name: value for name, value in form.multi_items() if isinstance(value, str)})
