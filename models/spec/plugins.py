"""Plugins: modules outside the checkout that add objectives, penalties and families. docs/extending.md shows one.

A plugin's module has an attribute `plugin`, a `Plugin`. It is loaded as an entry point of the group `forger.plugins`,
or by the name of its module or its path. Its parts are then available in this process.
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
"""digits of the sha256 that identify a version of a plugin's files"""


class PluginFailed(Exception):
    """The error of a plugin that cannot be loaded. The message names it and says what to do."""


class PluginMissing(Exception):
    """The error of a recipe whose plugin is not loaded, or in another version. The message says what to do."""


@dataclass(frozen=True)
class Part:
    """An objective or a penalty. `build` returns its module for the settings; only `build` may import torch."""

    settings: type[Spec]
    build: Callable[[Any], Any]


@dataclass(frozen=True)
class Plugin:
    """The parts that a plugin adds, by the names that recipes use."""

    objectives: Mapping[str, Part] = field(default_factory=dict)
    penalties: Mapping[str, Part] = field(default_factory=dict)
    families: Sequence[Family] = ()


@dataclass(frozen=True)
class LoadedPlugin:
    """A loaded plugin, with the name and version that recipes store."""

    used: PluginUsed
    plugin: Plugin
    files: tuple[Path, ...] = ()
    """files whose checksum is the version; empty if that is the version of a distribution"""

    @property
    def changed(self) -> bool:
        """Whether the files have changed since they were loaded."""
        return bool(self.files) and _version(self.files) != self.used.version


_LOADED: dict[str, LoadedPlugin] = {}
LOADED: Mapping[str, LoadedPlugin] = MappingProxyType(_LOADED)
"""loaded plugins by name"""


def load(names: Sequence[str]) -> None:
    """Load the plugins of installed distributions and those in `names`; forget all others. Raises PluginFailed.

    A name is that of a module, or a path of a file or a package. The path's last part, without its suffix, is then
    the plugin's name.
    """
    plugins: dict[str, LoadedPlugin] = {}
    for name, loaded in (*map(_from_entry_point, entry_points(group=ENTRY_POINT_GROUP)), *map(_from_name, names)):
        if name in plugins:
            raise PluginFailed(f"Two plugins are called '{name}': rename or remove one of them.")
        plugins[name] = loaded
    _require_unique(plugins.values())
    families.set_plugin_families([family for loaded in plugins.values() for family in loaded.plugin.families])
    _LOADED.clear()
    _LOADED.update(plugins)


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
    """Import a file or package under a prefixed name, so that a file called random.py hides no other module."""
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        raise PluginFailed(f"The plugin {path} does not exist: correct its path, or remove it from FORGER_PLUGINS.")
    name = f"forger_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(path)] if path.is_dir() else None
    )
    if spec is None or spec.loader is None:
        raise PluginFailed(f"The plugin {path} is not a Python file: name one that ends in .py.")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise _failed(str(path), error) from error
    return module


def _failed(name: str, error: Exception) -> PluginFailed:
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return PluginFailed(f"The plugin '{name}' cannot be loaded ({reason}): correct it, or remove it.")


def _loaded(name: str, version: str, plugin: Any, files: tuple[Path, ...] = ()) -> LoadedPlugin:
    if not isinstance(plugin, Plugin):
        raise PluginFailed(
            f"The plugin '{name}' has no attribute `{PLUGIN_ATTRIBUTE}` of type models.spec.plugins.Plugin: add one."
        )
    return LoadedPlugin(PluginUsed(name=name, version=version), plugin, files)


def _files(module: ModuleType) -> tuple[Path, ...]:
    """Return a module's file, or every Python file of a package. Raises PluginFailed if there is none."""
    file = getattr(module, "__file__", None)
    # A built-in module, or a folder without __init__.py.
    if file is None:
        raise PluginFailed(f"The plugin '{module.__name__}' has no file: name a module or a package.")
    origin = Path(file)
    return tuple(sorted(origin.parent.rglob("*.py"))) if origin.name == "__init__.py" else (origin,)


def _version(files: Sequence[Path]) -> str:
    """Return the first digits of the sha256 over the files' paths in the package and bytes, without missing files."""
    total, folder = hashlib.sha256(), files[0].parent
    for file in filter(Path.is_file, files):
        data = file.read_bytes()
        total.update(f"{file.relative_to(folder)}\0{len(data)}\0".encode() + data)
    return f"sha256:{total.hexdigest()[:DIGEST_DIGITS]}"


def _require_unique(plugins: Iterable[LoadedPlugin]) -> None:
    """Raise PluginFailed if two plugins provide a part or a family of the same name."""
    owners = {("family", name): "Forger" for name in families.BUILT_IN}
    for loaded in plugins:
        for provided in _provided_names(loaded.plugin):
            if owner := owners.get(provided):
                kind, name = provided
                raise PluginFailed(
                    f"The {kind} '{name}' of the plugin '{loaded.used.name}' is one of {owner} already: rename it."
                )
            owners[provided] = f"the plugin '{loaded.used.name}'"


def _provided_names(plugin: Plugin) -> Iterator[tuple[str, str]]:
    yield from (("objective", name) for name in plugin.objectives)
    yield from (("penalty", name) for name in plugin.penalties)
    yield from (("family", family.name) for family in plugin.families)


def complete_parts(recipe: Recipe, family: str | None) -> tuple[Recipe, list[Refusal]]:
    """Fill in the default settings of plugins' parts and the names of their plugins; return recipe and refusals.

    Pointers of refusals lead into the recipe. With refusals the recipe is returned unchanged.
    """
    used = {plugin.name: plugin for plugin in recipe.plugins}
    for loaded in _LOADED.values():
        if family in {provided.name for provided in loaded.plugin.families}:
            used[loaded.used.name] = loaded.used
    refusals: list[Refusal] = []
    completed: dict[int | None, FromPlugin] = {}
    for index, part in _plugin_parts(recipe):
        kind: PartKind = "objective" if index is None else "penalty"
        pointer = "/objective" if index is None else f"/penalties/{index}"
        available = _parts_of_kind(kind)
        if part.name not in available:
            sentence = unknown(part.name, available, f"No loaded plugin provides the {kind} '{part.name[:80]}'")
            refusals.append(Refusal(f"{pointer}/name", sentence))
            continue
        plugin, definition = available[part.name]
        used[plugin.name] = plugin
        try:
            settings = definition.settings.model_validate(part.settings)
        except ValidationError as error:
            schema = wording.schema_of(TypeAdapter(definition.settings))
            invalid = wording.refusals(error.errors(include_url=False), schema, ())
            refusals += [Refusal(f"{pointer}/settings{refusal.pointer}", refusal.message) for refusal in invalid]
            continue
        completed[index] = part.model_copy(update={"settings": settings.model_dump(mode="json")})
    all_used = [*recipe.plugins, *(plugin for plugin in used.values() if plugin not in recipe.plugins)]
    refusals += [Refusal("/plugins", problem) for plugin in all_used if (problem := _problem(plugin))]
    if refusals or not used:
        return recipe, refusals
    changed = {
        "objective": completed.get(None, recipe.objective),
        "penalties": tuple(completed.get(index, penalty) for index, penalty in enumerate(recipe.penalties)),
        "plugins": tuple(used[name] for name in sorted(used)),
    }
    return recipe.model_copy(update=changed), []


def _plugin_parts(recipe: Recipe) -> Iterator[tuple[int | None, FromPlugin]]:
    """Yield the recipe's parts from plugins: the objective with None, penalties with their indices."""
    if isinstance(recipe.objective, FromPlugin):
        yield None, recipe.objective
    yield from ((index, part) for index, part in enumerate(recipe.penalties) if isinstance(part, FromPlugin))


def require_loaded(recipe: Recipe) -> None:
    """Raise PluginMissing if one of the recipe's plugins is not loaded, or in another version."""
    for used in recipe.plugins:
        if sentence := _problem(used):
            raise PluginMissing(sentence)


def _problem(used: PluginUsed) -> str | None:
    """Return a sentence if the plugin is not loaded in this version, else None."""
    loaded = _LOADED.get(used.name)
    if loaded is None:
        return (
            f"The recipe uses the plugin '{used.name}' ({used.version}), which is not loaded: "
            "install it or name it in FORGER_PLUGINS, and start the service again."
        )
    if loaded.changed:
        return f"The files of the plugin '{used.name}' were changed after they were loaded: start the service again."
    if loaded.used != used:
        return (
            f"The recipe uses the plugin '{used.name}' in version {used.version}, and the loaded one is "
            f"{loaded.used.version}: install the recipe's version, or create a new job with the loaded one."
        )
    return None


def build(kind: PartKind, part: FromPlugin) -> Any:
    """Build the module of a recipe's part by its plugin. Raises PluginMissing."""
    available = _parts_of_kind(kind)
    if part.name not in available:
        raise PluginMissing(f"No loaded plugin provides the {kind} '{part.name}': name its plugin in FORGER_PLUGINS.")
    _, definition = available[part.name]
    return definition.build(definition.settings.model_validate(part.settings))


def _parts_of_kind(kind: PartKind) -> dict[str, tuple[PluginUsed, Part]]:
    """Return every loaded part of that kind by its name, with its plugin."""
    parts_by_name: dict[str, tuple[PluginUsed, Part]] = {}
    for loaded in _LOADED.values():
        parts = loaded.plugin.objectives if kind == "objective" else loaded.plugin.penalties
        parts_by_name |= {name: (loaded.used, part) for name, part in parts.items()}
    return parts_by_name
