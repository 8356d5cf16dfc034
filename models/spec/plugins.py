"""Plugins: modules outside the checkout that bring objectives, penalties and families. docs/extending.md shows one.

A module has a `plugin`, a `Plugin`. It is found as an entry point of the group `forger.plugins`, or named, by its
module or its path, in what is loaded. What it brings is known from then on, in this process.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from models.spec import families, wording
from models.spec.base import FromPlugin, PluginUsed, Spec
from models.spec.families import Family
from models.spec.recipe import Recipe
from models.spec.wording import Refusal, unknown

ENTRY_POINT_GROUP = "forger.plugins"
PLUGIN_ATTRIBUTE = "plugin"
PartKind = Literal["objective", "penalty"]
DIGEST_DIGITS = 16
"""of a sha256, that tell two versions of a file apart"""


class PluginFailed(Exception):
    """A plugin cannot be loaded. The message names it and says what to do."""


class PluginMissing(Exception):
    """What a recipe takes from a plugin is not there as it was. The message names it and says what to do."""


@dataclass(frozen=True)
class Part:
    """An objective or a penalty. `build` makes its module from the settings; torch is imported inside it alone."""

    settings: type[Spec]
    build: Callable[[Any], Any]


@dataclass(frozen=True)
class Plugin:
    """What a module brings, by the names under which recipes speak of it."""

    objectives: Mapping[str, Part] = field(default_factory=dict)
    penalties: Mapping[str, Part] = field(default_factory=dict)
    families: Sequence[Family] = ()


@dataclass(frozen=True)
class LoadedPlugin:
    """A plugin that is there, with what its recipes call it."""

    used: PluginUsed
    plugin: Plugin
    files: tuple[Path, ...] = ()
    """whose bytes its version is; none where that is the version of a distribution"""

    @property
    def changed(self) -> bool:
        """Whether its files have changed since they were loaded."""
        return bool(self.files) and _version(self.files) != self.used.version


_LOADED: dict[str, LoadedPlugin] = {}
LOADED: Mapping[str, LoadedPlugin] = MappingProxyType(_LOADED)
"""by name"""


def load(named: Sequence[str]) -> None:
    """Know the plugins of installed distributions and those named, and no others. Raises PluginFailed.

    A name is that of a module, or a path of a file or a package. The path's last part, without its ending, is then
    the plugin's name.
    """
    found: dict[str, LoadedPlugin] = {}
    for name, made in (*map(_from_entry_point, entry_points(group=ENTRY_POINT_GROUP)), *map(_from_name, named)):
        if name in found:
            raise PluginFailed(f"Two plugins are called '{name}': rename one, or take one out.")
        found[name] = made
    _require_unique(found.values())
    families.set_plugin_families([family for loaded in found.values() for family in loaded.plugin.families])
    _LOADED.clear()
    _LOADED.update(found)


def _from_entry_point(point: EntryPoint) -> tuple[str, LoadedPlugin]:
    try:
        value = point.load()
    except Exception as error:
        raise _failed(point.name, error) from error
    version = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
    return point.name, _loaded(point.name, version, getattr(value, PLUGIN_ATTRIBUTE, None) or value)


def _from_name(name: str) -> tuple[str, LoadedPlugin]:
    path = Path(name)
    is_path = path.suffix == ".py" or path.is_absolute()
    module = _from_path(path) if is_path else _imported(name)
    short = path.stem if is_path else name
    files = _files(module)
    return short, _loaded(short, _version(files), getattr(module, PLUGIN_ATTRIBUTE, None), files)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _failed(name, error) from error


def _from_path(path: Path) -> ModuleType:
    """Under a name of its own, so that a file called random.py hides no other module."""
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        raise PluginFailed(f"The plugin {path} is not there: correct its path, or take it out of FORGER_PLUGINS.")
    name = f"forger_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(path)] if path.is_dir() else None
    )
    if spec is None or spec.loader is None:
        raise PluginFailed(f"The plugin {path} is no Python file: name one that ends in .py.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _failed(str(path), error) from error
    return module


def _failed(name: str, error: Exception) -> PluginFailed:
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    return PluginFailed(f"The plugin '{name}' cannot be loaded ({what}): mend it, or take it out.")


def _loaded(name: str, version: str, plugin: Any, files: tuple[Path, ...] = ()) -> LoadedPlugin:
    if not isinstance(plugin, Plugin):
        raise PluginFailed(
            f"The plugin '{name}' has no `{PLUGIN_ATTRIBUTE}` of models.spec.plugins.Plugin: give it one."
        )
    return LoadedPlugin(PluginUsed(name=name, version=version), plugin, files)


def _files(module: ModuleType) -> tuple[Path, ...]:
    """A module's file, or every Python file of a package. Raises PluginFailed where it has none."""
    own = getattr(module, "__file__", None)
    if own is None:  # built in, or a folder without __init__.py
        raise PluginFailed(f"The plugin '{module.__name__}' has no file of its own: name a module or a package.")
    origin = Path(own)
    return tuple(sorted(origin.parent.rglob("*.py"))) if origin.name == "__init__.py" else (origin,)


def _version(files: Sequence[Path]) -> str:
    """The beginning of the sha256 of their bytes, with their paths in the package; of files that are gone another."""
    total, folder = hashlib.sha256(), files[0].parent
    for file in filter(Path.is_file, files):
        data = file.read_bytes()
        total.update(f"{file.relative_to(folder)}\0{len(data)}\0".encode() + data)
    return f"sha256:{total.hexdigest()[:DIGEST_DIGITS]}"


def _require_unique(found: Iterable[LoadedPlugin]) -> None:
    """Raises PluginFailed where two bring parts, or families, of one name."""
    known = {("family", name): "Forger" for name in families.BUILT_IN}
    for loaded in found:
        for what in _provided_names(loaded.plugin):
            if other := known.get(what):
                kind, name = what
                raise PluginFailed(
                    f"The {kind} '{name}' of the plugin '{loaded.used.name}' is one of {other} already: rename it."
                )
            known[what] = f"the plugin '{loaded.used.name}'"


def _provided_names(plugin: Plugin) -> Iterator[tuple[str, str]]:
    yield from (("objective", name) for name in plugin.objectives)
    yield from (("penalty", name) for name in plugin.penalties)
    yield from (("family", family.name) for family in plugin.families)


def complete_parts(recipe: Recipe, family: str | None) -> tuple[Recipe, list[Refusal]]:
    """The recipe with the settings of plugins' parts made whole and their plugins named; and what is refused.

    Pointers of refusals lead into the recipe.
    """
    used = {one.name: one for one in recipe.plugins}
    used |= {one.used.name: one.used for one in _LOADED.values() if family in {own.name for own in one.plugin.families}}
    refusals: list[Refusal] = []
    settled: dict[int | None, FromPlugin] = {}
    for place, part in _plugin_parts(recipe):
        kind: PartKind = "objective" if place is None else "penalty"
        at = "/objective" if place is None else f"/penalties/{place}"
        brought = _parts_of_kind(kind)
        if part.name not in brought:
            sentence = unknown(part.name, brought, f"No plugin that is loaded brings the {kind} '{part.name[:80]}'")
            refusals.append(Refusal(f"{at}/name", sentence))
            continue
        used[brought[part.name][0].name] = brought[part.name][0]
        try:
            whole = brought[part.name][1].settings.model_validate(part.settings)
        except ValidationError as error:
            schema = wording.schema_of(TypeAdapter(brought[part.name][1].settings))
            found = wording.refusals(error.errors(include_url=False), schema, ())
            refusals += [Refusal(f"{at}/settings{one.pointer}", one.message) for one in found]
            continue
        settled[place] = part.model_copy(update={"settings": whole.model_dump(mode="json")})
    named = [*recipe.plugins, *(one for one in used.values() if one not in recipe.plugins)]
    refusals += [Refusal("/plugins", amiss) for one in named if (amiss := _problem(one))]
    if refusals or not used:
        return recipe, refusals
    changed = {
        "objective": settled.get(None, recipe.objective),
        "penalties": tuple(settled.get(place, penalty) for place, penalty in enumerate(recipe.penalties)),
        "plugins": tuple(used[name] for name in sorted(used)),
    }
    return recipe.model_copy(update=changed), []


def _plugin_parts(recipe: Recipe) -> Iterator[tuple[int | None, FromPlugin]]:
    """Parts that plugins bring: the objective under None, penalties under their places."""
    if isinstance(recipe.objective, FromPlugin):
        yield None, recipe.objective
    yield from ((place, one) for place, one in enumerate(recipe.penalties) if isinstance(one, FromPlugin))


def require_loaded(recipe: Recipe) -> None:
    """Raises PluginMissing where a plugin that the recipe names is not loaded, or is another version."""
    for used in recipe.plugins:
        if sentence := _problem(used):
            raise PluginMissing(sentence)


def _problem(used: PluginUsed) -> str | None:
    loaded = _LOADED.get(used.name)
    if loaded is None:
        return (
            f"The recipe takes parts from the plugin '{used.name}' ({used.version}), which is not loaded: "
            "install it or name it in FORGER_PLUGINS, and start the service again."
        )
    if loaded.changed:
        return f"The files of the plugin '{used.name}' were changed after they were loaded: start the service again."
    if loaded.used != used:
        return (
            f"The recipe takes parts from the plugin '{used.name}' as it was ({used.version}), and now it is "
            f"{loaded.used.version}: bring that version back, or make a new job with this one."
        )
    return None


def build(kind: PartKind, part: FromPlugin) -> Any:
    """The module that a plugin makes of a part of a recipe. Raises PluginMissing."""
    brought = _parts_of_kind(kind)
    if part.name not in brought:
        raise PluginMissing(f"No plugin that is loaded brings the {kind} '{part.name}': name it in FORGER_PLUGINS.")
    _, made = brought[part.name]
    return made.build(made.settings.model_validate(part.settings))


def _parts_of_kind(kind: PartKind) -> dict[str, tuple[PluginUsed, Part]]:
    """Every part of that kind by its name, with its plugin."""
    found: dict[str, tuple[PluginUsed, Part]] = {}
    for loaded in _LOADED.values():
        parts = loaded.plugin.objectives if kind == "objective" else loaded.plugin.penalties
        found |= {name: (loaded.used, part) for name, part in parts.items()}
    return found
