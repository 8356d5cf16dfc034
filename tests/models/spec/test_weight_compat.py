"""Which stored weights a training can start from."""

from typing import Any

import pytest
import torch

from models.build import build_critic, build_generator
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from models.spec.weight_compat import incompatibilities

SMALL: dict[str, Any] = {"generator": {"width": 4}, "critic": {"width": 4}}


def recipe(family: str = "dcgan", dataset: str = "digits", **overrides: Any) -> Recipe:
    return resolve(family, dataset=dataset, overrides=overrides)[1]


def loads(source: Recipe, target: Recipe) -> bool:
    """Return whether torch loads the weights of one recipe into the networks of the other."""
    try:
        for build in (build_generator, build_critic):
            build(target).load_state_dict(build(source).state_dict())
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("family", FAMILIES)
def test_family_is_compatible_with_itself_under_another_seed_and_budget(family: str) -> None:
    source, target = (resolve(family, seed=seed, budget={"steps": seed})[1] for seed in (1, 2))
    assert incompatibilities(source, target) == []


@pytest.mark.parametrize(
    ("source", "target", "field"),
    [
        (recipe(**SMALL), recipe(generator={"width": 8}, critic={"width": 4}), "generator.width"),
        (recipe(**SMALL), recipe(generator={"width": 4}, critic={"width": 8}), "critic.width"),
        (recipe(**SMALL), recipe(**SMALL, latent={"size": 7}), "latent.size"),
        (recipe(**SMALL), recipe(dataset="mnist", **SMALL), "data.side"),
        (recipe(**SMALL), recipe("cdcgan", **SMALL), "number of classes"),
        (recipe("cdcgan"), recipe("cdcgan", penalties=[]), "auxiliary penalty"),
        (recipe("gan", "ring8"), recipe("gan", "digits"), "data.side"),
        (recipe("gan", "ring8"), recipe("gan", "gaussian1d"), "data.dimension"),
        (recipe("gan"), recipe("gan", generator={"hidden": [128, 128]}), "generator.hidden"),
        (recipe("gan"), recipe("gan", generator={"dropout": 0.5}), "generator.dropout"),
        (recipe(**SMALL), recipe("gan"), "generator.kind"),
    ],
)
def test_incompatible_field_is_named_and_torch_refuses_the_weights(source: Recipe, target: Recipe, field: str) -> None:
    assert any(sentence.startswith(f"{field} is ") for sentence in incompatibilities(source, target))
    assert not loads(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (recipe("gan"), recipe("gan", generator={"activation": "relu"}, critic={"dropout": 0.1})),
        (recipe(**SMALL), recipe("lsgan", **SMALL)),
        (recipe("cyclegan", "day2night"), recipe("cyclegan", "day2night", data={"side": 96})),
    ],
)
def test_fields_that_change_no_weight_are_compatible(source: Recipe, target: Recipe) -> None:
    assert incompatibilities(source, target) == []
    with torch.device("meta"):
        assert loads(source, target)


def test_translator_weights_are_incompatible_with_a_generator() -> None:
    assert incompatibilities(recipe("cyclegan", "day2night"), recipe()) == [
        "critic.kind is patch in the checkpoint and dcgan here.",
        "game.kind is unpaired in the checkpoint and synthesis here.",
        "generator.kind is resnet in the checkpoint and dcgan here.",
    ]
