"""Only two files remove, rename or replace what others may hold: the rest of the worker asks them."""

import ast
from collections.abc import Iterator

from app.core.settings import CHECKOUT

ALLOWED = {"app/services/jobs/attempt_files.py", "models/durable.py"}
LOOKED_AT = [
    *(path for package in ("worker", "models", "data", "serving") for path in (CHECKOUT / package).rglob("*.py")),
    *(CHECKOUT / "app/services/jobs").glob("attempt*.py"),
    CHECKOUT / "app/services/jobs/shards.py",
]
ALWAYS = {"unlink", "rmtree", "rmdir", "rename", "renames", "removedirs"}
TEMPORARY = {"TemporaryDirectory", "NamedTemporaryFile", "mkdtemp", "mkstemp"}
"""harmless in the system's folder for such files"""


def changes(source: str) -> Iterator[int]:
    """Lines of calls that remove or replace a file. `str.replace` takes two arguments, `Path.replace` one."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        of = called.value if isinstance(called, ast.Attribute) else None
        of_os = isinstance(of, ast.Name) and of.id in ("os", "shutil")
        of_path = name == "replace" and of is not None and len(node.args) == 1 and not node.keywords
        placed = name in TEMPORARY and any(keyword.arg == "dir" for keyword in node.keywords)
        if name in ALWAYS or of_path or placed or (name in ("remove", "replace", "move") and of_os):
            yield node.lineno


def test_nothing_else_removes_or_replaces_a_file() -> None:
    found = {
        f"{name}:{line}"
        for path in LOOKED_AT
        if (name := str(path.relative_to(CHECKOUT))) not in ALLOWED
        for line in changes(path.read_text())
    }
    assert found == set(), "use models.durable.atomic_write, or app.services.jobs.attempt_files"


def test_the_search_sees_each_way_and_no_other_replacing() -> None:
    ways = ["os.remove(p)", "os.replace(a, b)", "p.unlink()", "shutil.rmtree(p)", "p.replace(q)", "os.rename(a, b)"]
    ways += ["tempfile.TemporaryDirectory(dir=d)", "os.rmdir(p)", "rmtree(p)"]
    assert [list(changes(way)) for way in ways] == [[1]] * len(ways)
    others = ["text.replace('a', 'b')", "replace(value, a=1)", "queue.remove(item)", "dataclasses.replace(x, y=1)"]
    others += ["tempfile.TemporaryDirectory()"]
    assert [list(changes(other)) for other in others] == [[]] * len(others)
