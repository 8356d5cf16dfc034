"""Only two files remove, rename or replace files; the rest of the worker calls them."""

import ast
from collections.abc import Iterator

from app.core.settings import CHECKOUT

ALLOWED = {"app/services/jobs/attempt_files.py", "models/durable.py"}
SEARCHED = [
    *(path for package in ("worker", "models", "data", "serving") for path in (CHECKOUT / package).rglob("*.py")),
    *(CHECKOUT / "app/services/jobs").glob("attempt*.py"),
    CHECKOUT / "app/services/jobs/shards.py",
]
ALWAYS = {"unlink", "rmtree", "rmdir", "rename", "renames", "removedirs"}
TEMPORARY = {"TemporaryDirectory", "NamedTemporaryFile", "mkdtemp", "mkstemp"}
"""harmless in the system's temporary folder"""


def removals(source: str) -> Iterator[int]:
    """Yield the lines of calls that remove or replace a file. `str.replace` takes two arguments, `Path.replace` one."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        owner = function.value if isinstance(function, ast.Attribute) else None
        in_os = isinstance(owner, ast.Name) and owner.id in ("os", "shutil")
        replaces_path = name == "replace" and owner is not None and len(node.args) == 1 and not node.keywords
        in_chosen_folder = name in TEMPORARY and any(keyword.arg == "dir" for keyword in node.keywords)
        if name in ALWAYS or replaces_path or in_chosen_folder or (name in ("remove", "replace", "move") and in_os):
            yield node.lineno


def test_only_allowed_files_remove_or_replace_files() -> None:
    found = {
        f"{name}:{line}"
        for path in SEARCHED
        if (name := str(path.relative_to(CHECKOUT))) not in ALLOWED
        for line in removals(path.read_text())
    }
    assert found == set(), "use models.durable.atomic_write, or app.services.jobs.attempt_files"


def test_removal_search_finds_each_call_and_no_other() -> None:
    removing = ["os.remove(p)", "os.replace(a, b)", "p.unlink()", "shutil.rmtree(p)", "p.replace(q)", "os.rename(a, b)"]
    removing += ["tempfile.TemporaryDirectory(dir=d)", "os.rmdir(p)", "rmtree(p)"]
    assert [list(removals(call)) for call in removing] == [[1]] * len(removing)
    harmless = ["text.replace('a', 'b')", "replace(value, a=1)", "queue.remove(item)", "dataclasses.replace(x, y=1)"]
    harmless += ["tempfile.TemporaryDirectory()"]
    assert [list(removals(call)) for call in harmless] == [[]] * len(harmless)
