"""The Dockerfile, read and laid out without an engine: what an image holds and how it starts."""

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
    """Sources are relative to the context, or to the root of the stage `origin`."""

    sources: tuple[str, ...]
    target: str
    origin: str | None


@dataclass
class Stage:
    """What a stage says itself, after all that the one says on which it stands."""

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
    """Name and rest of each, continued lines joined, comments left out."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", kept)
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name.upper(), rest.strip()) for name, rest in pairs]


def stages(text: str | None = None) -> dict[str, Stage]:
    """By name; raises KeyError for an instruction that is not understood."""
    found: dict[str, Stage] = {}
    for name, rest in instructions(text or (CHECKOUT / "Dockerfile").read_text()):
        if name == "FROM":
            base, _, own = rest.split()
            stage = _upon(found.get(base), own, base)
            found[own] = stage
        else:
            _TAKE[name](stage, rest)
    return found


def lay_out(stage: Stage, root: Path) -> None:
    """Copies what the image takes from the context to where it lies in the image, below `root`."""
    for copy in stage.copies:
        if copy.origin is None:
            for source in copy.sources:
                _copy(CHECKOUT / source, root, copy.target)


def _copy(source: Path, root: Path, target: str) -> None:
    place = root / target.lstrip("/")
    if source.is_dir():
        shutil.copytree(source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        return
    if target.endswith("/"):
        place = place / source.name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, place)


def _upon(base: Stage | None, name: str, base_name: str) -> Stage:
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
    """What a shell does is not followed."""


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
    place = os.path.normpath(os.path.join(stage.workdir, target)) + slash
    stage.copies.append(Copy(tuple(sources), place, options.get("from")))


def _health(stage: Stage, rest: str) -> None:
    stage.health = json.loads(rest[rest.index("[") :])


_TAKE: dict[str, Callable[[Stage, str], None]] = {
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
