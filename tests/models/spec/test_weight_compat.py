"""Which weights can begin which training."""

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


def loads(learned: Recipe, wanted: Recipe) -> bool:
    """What torch thinks of it."""
    try:
        for build in (build_generator, build_critic):
            build(wanted).load_state_dict(build(learned).state_dict())
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_fits_itself_under_another_seed_objective_and_budget(family: str) -> None:
    learned, wanted = (resolve(family, seed=seed, budget={"steps": seed})[1] for seed in (1, 2))
    assert incompatibilities(learned, wanted) == []


@pytest.mark.parametrize(
    ("learned", "wanted", "part"),
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
def test_what_differs_is_named_and_torch_agrees(learned: Recipe, wanted: Recipe, part: str) -> None:
    assert any(sentence.startswith(f"{part} is ") for sentence in incompatibilities(learned, wanted))
    assert not loads(learned, wanted)


@pytest.mark.parametrize(
    ("learned", "wanted"),
    [
        (recipe("gan"), recipe("gan", generator={"activation": "relu"}, critic={"dropout": 0.1})),
        (recipe(**SMALL), recipe("lsgan", **SMALL)),
        (recipe("cyclegan", "day2night"), recipe("cyclegan", "day2night", data={"side": 96})),
    ],
)
def test_what_changes_no_weight_may_differ(learned: Recipe, wanted: Recipe) -> None:
    assert incompatibilities(learned, wanted) == []
    with torch.device("meta"):
        assert loads(learned, wanted)


def test_a_translator_fits_no_generator() -> None:
    assert incompatibilities(recipe("cyclegan", "day2night"), recipe()) == [
        "critic.kind is patch in the checkpoint and dcgan here.",
        "game.kind is unpaired in the checkpoint and synthesis here.",
        "generator.kind is resnet in the checkpoint and dcgan here.",
    ]
