"""The Dockerfile, read without a container engine: the files of each image and how it starts."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.core.settings import CHECKOUT

Words = list[str]


@dataclass(frozen=True)
class Copy:
    """A COPY instruction. Sources are relative to the context, or to the root of the stage `origin`."""

    sources: tuple[str, ...]
    target: str
    origin: str | None


@dataclass
class Stage:
    """The instructions of a stage, with those of its base stage before them."""

    name: str
    base: str
    workdir: str = "/"
    user: str = "root"
    env: dict[str, str] = field(default_factory=dict)
    args: list[str] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    health: Words = field(default_factory=list)
    entrypoint: Words = field(default_factory=list)
    command: Words = field(default_factory=list)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return name and arguments of each instruction; continued lines are joined, comments left out."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", kept)
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name.upper(), rest.strip()) for name, rest in pairs]


def stages(text: str | None = None) -> dict[str, Stage]:
    """Return the stages by name. Raises KeyError for an unknown instruction."""
    by_name: dict[str, Stage] = {}
    for name, rest in instructions(text or (CHECKOUT / "Dockerfile").read_text()):
        if name == "FROM":
            base, _, stage_name = rest.split()
            stage = _derive(by_name.get(base), stage_name, base)
            by_name[stage_name] = stage
        else:
            _HANDLERS[name](stage, rest)
    return by_name


def lay_out(stage: Stage, root: Path) -> None:
    """Copy the files that the image takes from the context to their places in the image, below `root`."""
    for copy in stage.copies:
        if copy.origin is None:
            for source in copy.sources:
                _copy(CHECKOUT / source, root, copy.target)


def _copy(source: Path, root: Path, target: str) -> None:
    destination = root / target.lstrip("/")
    if source.is_dir():
        shutil.copytree(source, destination, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        return
    if target.endswith("/"):
        destination = destination / source.name
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, destination)


def _derive(base: Stage | None, name: str, base_name: str) -> Stage:
    return Stage(name, base_name) if base is None else replace(deepcopy(base), name=name, base=base_name)


def _arg(stage: Stage, rest: str) -> None:
    stage.args.append(rest)


def _command(stage: Stage, rest: str) -> None:
    stage.command = json.loads(rest)


def _entrypoint(stage: Stage, rest: str) -> None:
    stage.entrypoint = json.loads(rest)


def _expose(stage: Stage, rest: str) -> None:
    stage.ports.append(rest)


def _run(stage: Stage, rest: str) -> None:
    """Ignore RUN: shell commands are not interpreted."""


def _user(stage: Stage, rest: str) -> None:
    stage.user = rest


def _volume(stage: Stage, rest: str) -> None:
    stage.volumes.append(rest)


def _workdir(stage: Stage, rest: str) -> None:
    stage.workdir = rest


def _env(stage: Stage, rest: str) -> None:
    for word in shlex.split(rest):
        name, _, value = word.partition("=")
        stage.env[name] = value


def _take_copy(stage: Stage, rest: str) -> None:
    words = shlex.split(rest)
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    *sources, target = [word for word in words if not word.startswith("--")]
    slash = "/" if target.endswith("/") else ""
    destination = os.path.normpath(os.path.join(stage.workdir, target)) + slash
    stage.copies.append(Copy(tuple(sources), destination, options.get("from")))


def _health(stage: Stage, rest: str) -> None:
    stage.health = json.loads(rest[rest.index("[") :])


_HANDLERS: dict[str, Callable[[Stage, str], None]] = {
    "ARG": _arg,
    "CMD": _command,
    "COPY": _take_copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _health,
    "RUN": _run,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
