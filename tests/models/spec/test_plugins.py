"""Plugins: what they bring is known, recipes name them, and what cannot be loaded is one sentence."""

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
def file(tmp_path: Path) -> Iterator[Path]:
    """A plugin that is loaded, and none afterwards."""
    made = write_pearson(tmp_path)
    plugins.load([str(made)])
    yield made
    plugins.load([])


def recipe(**overrides: Any) -> Recipe:
    return resolve("gan", dataset="ring8", budget={"steps": 4}, overrides={"objective": OBJECTIVE} | overrides)[1]


def test_a_recipe_names_the_plugin_and_holds_its_settings_whole(file: Path) -> None:
    made = recipe()
    (used,) = made.plugins
    assert (used.name, used.version.partition(":")[0]) == ("pearson", "sha256")
    assert made.model_dump(mode="json")["objective"] == OBJECTIVE | {"settings": {"scale": 2.0}}
    plain = recipe(objective={"kind": "plugin", "name": "pearson"}).model_dump()
    assert plain["objective"]["settings"] == {"scale": 1.0}
    assert "plugins" not in resolve("gan")[1].model_dump(mode="json"), "recipes without plugins stay as they were"


def test_a_family_of_a_plugin_is_named_too(file: Path) -> None:
    assert set(FAMILIES) - set(BUILT_IN) == {"pearson_gan"}
    name, made = resolve("pearson_gan")
    assert (name, [used.name for used in made.plugins]) == ("pearson_gan", ["pearson"])
    assert resolve(made.model_dump(mode="json"))[1] == made, "sent whole it is the same"


def test_what_it_builds_is_the_formula(file: Path) -> None:
    objective = build(recipe()).objective
    assert objective is not None
    real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [-2.0]])
    scores = Scores(Verdict(real), Verdict(fake))
    conjugate = (fake.square() / 4 + fake).mean()
    torch.testing.assert_close(objective.critic(scores), 2 * (conjugate - real.mean()))
    torch.testing.assert_close(objective.generator(scores), -2 * conjugate)


@pytest.mark.parametrize(
    ("objective", "pointer", "said"),
    [
        ({"kind": "plugin", "name": "pearsn"}, "/overrides/objective/name", "Did you mean 'pearson'?"),
        (OBJECTIVE | {"settings": {"scale": -1}}, "/overrides/objective/settings/scale", "above 0"),
        (OBJECTIVE | {"settings": {"scales": 1}}, "/overrides/objective/settings/scales", "scale"),
    ],
)
def test_what_it_does_not_bring_is_pointed_at(file: Path, objective: Any, pointer: str, said: str) -> None:
    with pytest.raises(RecipeRefused) as refused:
        recipe(objective=objective)
    (refusal,) = refused.value.refusals
    assert refusal.pointer == pointer
    assert said in refusal.message


def test_a_stored_recipe_is_read_without_its_plugin_and_refused_where_it_would_train(file: Path) -> None:
    stored = recipe().model_dump(mode="json")
    plugins.require_loaded(read_recipe(stored))
    plugins.load([])
    kept = read_recipe(stored)
    with pytest.raises(PluginMissing, match=r"plugin 'pearson' \(sha256:\w+\), which is not loaded"):
        plugins.require_loaded(kept)
    with pytest.raises(RecipeRefused, match="'pearson'"):
        resolve(stored)
    write_pearson(file.parent, "changed")
    plugins.load([str(file)])
    with pytest.raises(PluginMissing, match="the loaded one is sha256:"):
        plugins.require_loaded(kept)


def test_files_that_were_changed_after_they_were_loaded_make_no_job(file: Path) -> None:
    """Whoever trains would load them as they are now, and the recipe name them as they were."""
    made = recipe()
    file.write_text(file.read_text() + "# a comment\n")
    with pytest.raises(PluginMissing, match="start the service again"):
        plugins.require_loaded(made)
    with pytest.raises(RecipeRefused, match="start the service again"):
        recipe()
    plugins.load([str(file)])
    assert recipe().plugins != made.plugins


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("x = 1", "has no attribute `plugin`"),
        ("from models.spec.plugins import Plugin; from models.spec.families import FAMILIES\n"
         "plugin = Plugin(families=[FAMILIES['gan']])", "'gan' of the plugin 'broken' is one of Forger already"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_named_and_changes_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    before = dict(plugins.LOADED)
    with pytest.raises(PluginFailed, match="broken") as refused:
        plugins.load([str(tmp_path / "broken.py")])
    assert said in str(refused.value)
    assert before == plugins.LOADED
    with pytest.raises(PluginFailed, match="no_such_module"):
        plugins.load(["no_such_module"])
    with pytest.raises(PluginFailed, match="does not exist"):
        plugins.load([str(tmp_path / "absent.py")])
    (tmp_path / "bare_folder").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginFailed, match="'bare_folder' has no file: name"):
        plugins.load(["bare_folder"])


def test_an_installed_plugin_goes_by_its_distributions_version(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real distribution on the path: its metadata name the entry point."""
    site = tmp_path / "site"
    info = site / "forger_pearson-1.5.dist-info"
    info.mkdir(parents=True)
    write_pearson(site)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: forger-pearson\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text("[forger.plugins]\npearson = pearson\n")
    monkeypatch.syspath_prepend(str(site))
    plugins.load([])
    assert plugins.LOADED["pearson"].used.version == "forger-pearson 1.5"


def test_checkpoints_name_the_plugin(file: Path, tmp_path: Path) -> None:
    made = recipe()
    device = torch.device("cpu")
    trainer = Trainer(made, Batches(made, load(made.data, None), device), device, "fp32")
    assert {"critic/pearson", "generator/pearson"} <= trainer.advance().keys()
    saved = checkpoint.save(trainer.state_dict(), tmp_path, 1)
    assert checkpoint.load(saved.path)["plugins"] == {"pearson": made.plugins[0].version}
