"""Rules over the source: the environment of child processes, and where uploaded bytes are decoded."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from app.core.sandbox import environment
from app.core.settings import CHECKOUT, Settings
from tests.support.packages import PACKAGES

STARTERS = {"Popen", "run", "call", "check_call", "check_output", "execve", "execv", "execvp", "posix_spawn", "system"}
DECODERS = {"read_picture": {"data/uploads/read_untrusted.py", "data/readers/cifar10.py"}}
"""where each may be called: in a sandbox, or on the operator's own files"""


def calls(*folders: str) -> Iterator[tuple[str, ast.Call, str]]:
    """Yield every call in the source: its file, its node, and the last name of the called function."""
    for path in sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                yield str(path.relative_to(CHECKOUT)), node, name


def starts_a_process(node: ast.Call, name: str) -> bool:
    module = getattr(getattr(node.func, "value", None), "id", "")
    return name in STARTERS and module in ("subprocess", "os")


def test_every_child_process_gets_an_explicit_environment() -> None:
    """A call without `env` would pass on every variable."""
    started = [(file, node) for file, node, name in calls(*PACKAGES) if starts_a_process(node, name)]
    assert len(started) >= 6
    without_env = [
        f"{file}:{node.lineno}"
        for file, node in started
        if not any(keyword.arg == "env" for keyword in node.keywords) and getattr(node.func, "attr", "") != "execve"
    ]
    assert without_env == []


def test_no_child_gets_the_whole_environment() -> None:
    for folder in PACKAGES:
        for path in (CHECKOUT / folder).rglob("*.py"):
            assert "**os.environ" not in path.read_text(), path


def test_every_secret_setting_is_listed_as_secret() -> None:
    secret = {f"FORGER_{name.upper()}" for name, field in Settings.model_fields.items() if "SecretStr" in str(field)}
    assert SecretStr.__name__ == "SecretStr"
    assert secret == set(environment.SECRET)


def test_uploads_are_decoded_only_in_the_sandbox() -> None:
    for name, allowed in DECODERS.items():
        assert {file for file, _, called in calls(*PACKAGES) if called == name} == allowed
    for file, node, name in calls("worker"):
        source = ast.unparse(node)
        assert name != "open" or "Image" not in source, f"{file}: {source}"
        assert name != "ZipFile" or '"w"' in source or "'w'" in source, f"{file}: {source}"


def test_checkout_holds_the_files_these_rules_read() -> None:
    assert Path(CHECKOUT / "app" / "core" / "sandbox" / "parent.py").is_file()
