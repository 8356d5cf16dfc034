"""Notebooks run in a real kernel: cells, the committed notebook, and what each cell showed."""

import os
import signal
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = "python3"
PATIENCE_S = 240
"""seconds for one cell"""


class Runner(NotebookClient):
    """A client that counts the messages of each cell by type, and can interrupt one that has shown its display."""

    def __init__(self, notebook: NotebookNode, folder: Path, interrupt: int | None = None) -> None:
        """`interrupt` is the number of the cell to interrupt at the first update of its display."""
        super().__init__(
            notebook, timeout=PATIENCE_S, kernel_name=KERNEL, resources={"metadata": {"path": str(folder)}}
        )
        self.messages: list[tuple[int, str]] = []
        self._interrupt = interrupt

    @property
    def kernel_pid(self) -> int:
        manager: Any = self.km
        return int(manager.provisioner.pid)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        kind = msg["msg_type"]
        self.messages.append((cell_index, kind))
        if kind == "update_display_data" and cell_index == self._interrupt:
            self._interrupt = None
            os.kill(self.kernel_pid, signal.SIGINT)
        output: NotebookNode | None = super().process_message(msg, cell, cell_index)
        return output


def of_cells(*sources: str) -> NotebookNode:
    """Return a notebook of these cells."""
    notebook: NotebookNode = new_notebook(cells=[new_code_cell(source) for source in sources])
    return notebook


def read(path: Path) -> NotebookNode:
    """Read a notebook file. Raises ValidationError if it is malformed."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: NotebookNode, media_type: str) -> str:
    """Return the one output of a cell in this media type."""
    (output,) = cell.outputs
    return str(output.data[media_type])
