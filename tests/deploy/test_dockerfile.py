"""The Dockerfile against the code: no engine runs here, so everything it names is looked up."""

import re
import shlex
import subprocess
from itertools import takewhile

import pytest

from app.core.settings import CHECKOUT, Settings
from tests.support.commands import accepted, imported, routes
from tests.support.image import Stage, instructions, stages

TARGETS = ("api", "worker")
STAGES = stages()


@pytest.fixture(params=TARGETS)
def image(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]


def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def test_continued_lines_and_comments_are_read() -> None:
    assert instructions("# no\nRUN a \\\n  && b\n\nUSER x") == [("RUN", "a && b"), ("USER", "x")]


def test_stages_stand_on_each_other_or_on_a_pinned_image() -> None:
    seen: list[str] = []
    for stage in STAGES.values():
        assert stage.base in seen or re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", stage.base), stage.base
        assert all(copy.origin is None or copy.origin in seen for copy in stage.copies)
        seen.append(stage.name)


def test_every_source_exists_and_is_tracked() -> None:
    known = tracked()
    sources = {
        source for stage in STAGES.values() for copy in stage.copies if not copy.origin for source in copy.sources
    }
    assert sources
    missing = [name for name in sources if not any(file == name or file.startswith(f"{name}/") for file in known)]
    assert missing == []


def test_the_context_holds_what_is_copied_and_little_else() -> None:
    lines = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    sources = {
        source for stage in STAGES.values() for copy in stage.copies if not copy.origin for source in copy.sources
    }
    assert let_in == {source if source == "deploy/forger" else source.partition("/")[0] for source in sources}


def test_the_code_is_whole(image: Stage) -> None:
    """The API never imports the worker; both need the rest."""
    sources = {source for copy in image.copies if not copy.origin for source in copy.sources}
    assert sources >= {"app", "models", "alembic", "alembic.ini"}
    assert ("worker" in sources) == (image.name == "worker")


def test_no_image_runs_as_root(image: Stage) -> None:
    assert image.user not in ("root", "0", "")
    assert f" {image.user}" in next(rest for name, rest in instructions(text()) if "useradd" in rest)


def test_torch_is_in_one_of_them() -> None:
    runs = {name: [rest for kind, rest in body if kind == "RUN"] for name, body in bodies().items()}
    assert any("torch.txt" in run and "$TORCH_FLAGS" in run for run in runs["worker-packages"])
    assert not any("torch" in run for run in runs["api-packages"])
    assert STAGES["worker-packages"].args[0].startswith("TORCH_FLAGS=")
    hashed = [run for run in [*runs["api-packages"], *runs["worker-packages"]] if "--require-hashes" in run]
    assert len(hashed) == 2


def test_what_it_starts_exists(image: Stage) -> None:
    assert image.entrypoint == ["forger"]
    assert "/usr/local/bin/" in {copy.target for copy in image.copies if copy.sources == ("deploy/forger",)}
    shim = (CHECKOUT / "deploy" / "forger").read_text()
    assert imported(shlex.split(shim.splitlines()[-1])[4])
    assert accepted(image.command)
    assert image.command == ["serve", "--only", image.name]


def test_every_variable_is_a_setting(image: Stage) -> None:
    ours = {name.removeprefix("FORGER_").lower() for name in image.env if name.startswith("FORGER_")}
    assert ours
    assert ours <= Settings.model_fields.keys()


def test_port_home_and_health_agree_with_the_settings(image: Stage) -> None:
    assert image.env["FORGER_HOME"] in image.volumes
    assert image.env["PYTHONPATH"] == image.workdir
    if image.name == "api":
        assert image.ports == [image.env["FORGER_PORT"]]
        address = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", image.health[-1])
        assert address
        assert address[1] == image.env["FORGER_PORT"]
        assert address[2] in routes()


def test_health_is_asked_of_python(image: Stage) -> None:
    assert image.health[:3] == ["CMD", "python", "-c"] or image.health[:2] == ["python", "-c"]
    compile(image.health[-1], "health", "exec")


def text() -> str:
    return (CHECKOUT / "Dockerfile").read_text()


def bodies() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage itself."""
    found: dict[str, list[tuple[str, str]]] = {}
    rest = instructions(text())
    while rest:
        (_, head), *rest = rest
        own = list(takewhile(lambda pair: pair[0] != "FROM", rest))
        found[head.split()[-1]] = own
        rest = rest[len(own) :]
    return found
