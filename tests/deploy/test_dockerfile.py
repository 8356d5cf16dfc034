"""The Dockerfile agrees with the code; it is read and not built, so the files and commands it names are looked up."""

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
PARTS = {
    "bench/results/lecture", "deploy/forger", "docs/pictures/lecture", "docs/pictures/recipes", "examples/lecture",
}  # fmt: skip
"""sources whose folder stays out"""


@pytest.fixture(params=TARGETS)
def image(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]


def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def text() -> str:
    return (CHECKOUT / "Dockerfile").read_text()


def bodies() -> dict[str, list[tuple[str, str]]]:
    """Return the instructions of each stage, without those of its base."""
    by_stage: dict[str, list[tuple[str, str]]] = {}
    rest = instructions(text())
    while rest:
        (_, first_line), *rest = rest
        body = list(takewhile(lambda pair: pair[0] != "FROM", rest))
        by_stage[first_line.split()[-1]] = body
        rest = rest[len(body) :]
    return by_stage


def test_parser_joins_continued_lines_and_drops_comments() -> None:
    assert instructions("# no\nRUN a \\\n  && b\n\nUSER x") == [("RUN", "a && b"), ("USER", "x")]


def test_stages_are_based_on_earlier_stages_or_a_pinned_image() -> None:
    earlier: list[str] = []
    for stage in STAGES.values():
        assert stage.base in earlier or re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", stage.base), stage.base
        assert all(copy.origin is None or copy.origin in earlier for copy in stage.copies)
        earlier.append(stage.name)


def test_every_copied_source_is_tracked() -> None:
    known = tracked()
    sources = {
        source for stage in STAGES.values() for copy in stage.copies if not copy.origin for source in copy.sources
    }
    assert sources
    missing = [name for name in sources if not any(file == name or file.startswith(f"{name}/") for file in known)]
    assert missing == []


def test_build_context_holds_only_what_is_copied() -> None:
    lines = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    included = {line[1:] for line in lines if line.startswith("!")}
    sources = {
        source for stage in STAGES.values() for copy in stage.copies if not copy.origin for source in copy.sources
    }
    assert included == {source if source in PARTS else source.partition("/")[0] for source in sources}


def test_image_holds_the_code_it_needs(image: Stage) -> None:
    """The API never imports the worker; both images need the rest."""
    sources = {source for copy in image.copies if not copy.origin for source in copy.sources}
    assert sources >= {"app", "models", "alembic", "alembic.ini"}
    assert ("worker" in sources) == (image.name == "worker")


def test_no_image_runs_as_root(image: Stage) -> None:
    assert image.user not in ("root", "0", "")
    assert f" {image.user}" in next(rest for name, rest in instructions(text()) if "useradd" in rest)


def test_only_the_worker_image_installs_torch() -> None:
    runs = {name: [rest for kind, rest in body if kind == "RUN"] for name, body in bodies().items()}
    assert any("torch.txt" in run and "$TORCH_FLAGS" in run for run in runs["worker-packages"])
    assert not any("torch" in run for run in runs["api-packages"])
    assert STAGES["worker-packages"].args[0].startswith("TORCH_FLAGS=")
    hashed = [run for run in [*runs["api-packages"], *runs["worker-packages"]] if "--require-hashes" in run]
    assert len(hashed) == 2


def test_entrypoint_and_command_of_the_image_exist(image: Stage) -> None:
    assert image.entrypoint == ["forger"]
    assert "/usr/local/bin/" in {copy.target for copy in image.copies if copy.sources == ("deploy/forger",)}
    shim = (CHECKOUT / "deploy" / "forger").read_text()
    assert imported(shlex.split(shim.splitlines()[-1])[4])
    assert accepted(image.command)
    assert image.command == ["serve", "--only", image.name]


def test_every_variable_of_the_image_is_a_setting(image: Stage) -> None:
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


def test_health_check_runs_valid_python(image: Stage) -> None:
    assert image.health[:3] == ["CMD", "python", "-c"] or image.health[:2] == ["python", "-c"]
    compile(image.health[-1], "health", "exec")
