"""Rules over the source: what children are given, and where strangers' bytes are decoded."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from app.core.sandbox import environment
from app.core.settings import CHECKOUT, Settings
from tests.support.packages import PACKAGES

STARTERS = {"Popen", "run", "call", "check_call", "check_output", "execve", "execv", "execvp", "posix_spawn", "system"}
DECODERS = {"read_picture": {"data/uploads/read_untrusted.py", "data/readers/cifar10.py"}}
"""where each may be called: in a sandbox, or on files of the operator's own"""


def calls(*folders: str) -> Iterator[tuple[str, ast.Call, str]]:
    """Every call in the source: its file, itself, and the last name of what is called."""
    for path in sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                yield str(path.relative_to(CHECKOUT)), node, name


def starts_a_process(node: ast.Call, name: str) -> bool:
    module = getattr(getattr(node.func, "value", None), "id", "")
    return name in STARTERS and module in ("subprocess", "os")


def test_every_child_has_an_environment_of_its_own() -> None:
    """Nothing is inherited by leaving it out."""
    started = [(file, node) for file, node, name in calls(*PACKAGES) if starts_a_process(node, name)]
    assert len(started) >= 6
    bare = [
        f"{file}:{node.lineno}"
        for file, node in started
        if not any(word.arg == "env" for word in node.keywords) and getattr(node.func, "attr", "") != "execve"
    ]
    assert bare == []


def test_nobody_passes_on_the_whole_environment() -> None:
    for folder in PACKAGES:
        for path in (CHECKOUT / folder).rglob("*.py"):
            assert "**os.environ" not in path.read_text(), path


def test_a_secret_setting_comes_along_by_its_own_name_alone() -> None:
    secret = {f"FORGER_{name.upper()}" for name, field in Settings.model_fields.items() if "SecretStr" in str(field)}
    assert SecretStr.__name__ == "SecretStr"
    assert secret == set(environment.SECRET)


def test_uploads_are_decoded_in_the_sandbox_alone() -> None:
    for name, allowed in DECODERS.items():
        assert {file for file, _, called in calls(*PACKAGES) if called == name} == allowed
    for file, node, name in calls("worker"):
        opened = ast.unparse(node)
        assert name != "open" or "Image" not in opened, f"{file}: {opened}"
        assert name != "ZipFile" or '"w"' in opened or "'w'" in opened, f"{file}: {opened}"


def test_files_of_the_tests_are_where_these_rules_look() -> None:
    assert Path(CHECKOUT / "app" / "core" / "sandbox" / "parent.py").is_file()
