"""Plugins: their parts and families are known, recipes name them, and a plugin that cannot be loaded is named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from data.batches import Batches
from data.readers.builtin import load
from models import checkpoint
from models.build import build
from models.duel import Scores, Verdict
from models.spec import plugins
from models.spec.families import BUILT_IN, FAMILIES
from models.spec.plugins import PluginFailed, PluginMissing
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve
from models.spec.upgrade import read_recipe
from tests.support.plugins import write_pearson
from worker.training.trainer import Trainer

OBJECTIVE: dict[str, Any] = {"kind": "plugin", "name": "pearson", "settings": {"scale": 2}}


@pytest.fixture
def plugin_file(tmp_path: Path) -> Iterator[Path]:
    """Load the plugin of the documentation; afterwards no plugin is loaded."""
    path = write_pearson(tmp_path)
    plugins.load([str(path)])
    yield path
    plugins.load([])


def recipe(**overrides: Any) -> Recipe:
    return resolve("gan", dataset="ring8", budget={"steps": 4}, overrides={"objective": OBJECTIVE} | overrides)[1]


def test_recipe_names_its_plugin_and_holds_all_settings(plugin_file: Path) -> None:
    whole_recipe = recipe()
    (used,) = whole_recipe.plugins
    assert (used.name, used.version.partition(":")[0]) == ("pearson", "sha256")
    assert whole_recipe.model_dump(mode="json")["objective"] == OBJECTIVE | {"settings": {"scale": 2.0}}
    plain = recipe(objective={"kind": "plugin", "name": "pearson"}).model_dump()
    assert plain["objective"]["settings"] == {"scale": 1.0}
    assert "plugins" not in resolve("gan")[1].model_dump(mode="json"), "recipes without plugins have no such field"


def test_family_of_a_plugin_is_known_and_its_recipe_names_the_plugin(plugin_file: Path) -> None:
    assert set(FAMILIES) - set(BUILT_IN) == {"pearson_gan"}
    name, whole_recipe = resolve("pearson_gan")
    assert (name, [used.name for used in whole_recipe.plugins]) == ("pearson_gan", ["pearson"])
    assert resolve(whole_recipe.model_dump(mode="json"))[1] == whole_recipe, "sent as a whole recipe, it is the same"


def test_plugin_objective_equals_its_formula(plugin_file: Path) -> None:
    objective = build(recipe()).objective
    assert objective is not None
    real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [-2.0]])
    scores = Scores(Verdict(real), Verdict(fake))
    conjugate = (fake.square() / 4 + fake).mean()
    torch.testing.assert_close(objective.critic_loss(scores), 2 * (conjugate - real.mean()))
    torch.testing.assert_close(objective.generator_loss(scores), -2 * conjugate)


@pytest.mark.parametrize(
    ("objective", "pointer", "message"),
    [
        ({"kind": "plugin", "name": "pearsn"}, "/overrides/objective/name", "Did you mean 'pearson'?"),
        (OBJECTIVE | {"settings": {"scale": -1}}, "/overrides/objective/settings/scale", "above 0"),
        (OBJECTIVE | {"settings": {"scales": 1}}, "/overrides/objective/settings/scales", "scale"),
    ],
)
def test_unknown_plugin_name_or_setting_is_refused_at_its_pointer(
    plugin_file: Path, objective: Any, pointer: str, message: str
) -> None:
    with pytest.raises(RecipeRefused) as refused:
        recipe(objective=objective)
    (refusal,) = refused.value.refusals
    assert refusal.pointer == pointer
    assert message in refusal.message


def test_stored_recipe_without_its_plugin_can_be_read_but_not_trained(plugin_file: Path) -> None:
    stored = recipe().model_dump(mode="json")
    plugins.require_loaded(read_recipe(stored))
    plugins.load([])
    read = read_recipe(stored)
    with pytest.raises(PluginMissing, match=r"plugin 'pearson' \(sha256:\w+\), which is not loaded"):
        plugins.require_loaded(read)
    with pytest.raises(RecipeRefused, match="'pearson'"):
        resolve(stored)
    write_pearson(plugin_file.parent, "changed")
    plugins.load([str(plugin_file)])
    with pytest.raises(PluginMissing, match="the loaded one is sha256:"):
        plugins.require_loaded(read)


def test_plugin_file_that_changed_after_loading_is_refused(plugin_file: Path) -> None:
    """A runner would load the file as it is now, but the recipe would name the loaded version."""
    whole_recipe = recipe()
    plugin_file.write_text(plugin_file.read_text() + "# a comment\n")
    with pytest.raises(PluginMissing, match="start the service again"):
        plugins.require_loaded(whole_recipe)
    with pytest.raises(RecipeRefused, match="start the service again"):
        recipe()
    plugins.load([str(plugin_file)])
    assert recipe().plugins != whole_recipe.plugins


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "has no attribute `plugin`"),
        ("from models.spec.plugins import Plugin; from models.spec.families import FAMILIES\n"
         "plugin = Plugin(families=[FAMILIES['gan']])", "'gan' of the plugin 'broken' is one of Forger already"),
    ],
)  # fmt: skip
def test_plugin_that_cannot_be_loaded_is_named_and_changes_nothing(
    plugin_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    before = dict(plugins.LOADED)
    with pytest.raises(PluginFailed, match="broken") as refused:
        plugins.load([str(tmp_path / "broken.py")])
    assert message in str(refused.value)
    assert before == plugins.LOADED
    with pytest.raises(PluginFailed, match="no_such_module"):
        plugins.load(["no_such_module"])
    with pytest.raises(PluginFailed, match="does not exist"):
        plugins.load([str(tmp_path / "absent.py")])
    (tmp_path / "bare_folder").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginFailed, match="'bare_folder' has no file: name"):
        plugins.load(["bare_folder"])


def test_installed_plugin_has_the_version_of_its_distribution(
    plugin_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real distribution is on the path; its metadata name the entry point."""
    site = tmp_path / "site"
    info = site / "forger_pearson-1.5.dist-info"
    info.mkdir(parents=True)
    write_pearson(site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: forger-pearson\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[forger.plugins]\npearson = pearson\n")
    monkeypatch.syspath_prepend(str(site))
    plugins.load([])
    assert plugins.LOADED["pearson"].used.version == "forger-pearson 1.5"


def test_checkpoint_names_the_plugin(plugin_file: Path, tmp_path: Path) -> None:
    whole_recipe = recipe()
    device = torch.device("cpu")
    trainer = Trainer(whole_recipe, Batches(whole_recipe, load(whole_recipe.data, None), device), device, "fp32")
    assert {"critic/pearson", "generator/pearson"} <= trainer.advance().keys()
    saved = checkpoint.save(trainer.state_dict(), tmp_path, 1)
    assert checkpoint.load(saved.path)["plugins"] == {"pearson": whole_recipe.plugins[0].version}
