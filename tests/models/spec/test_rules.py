"""Every rule refuses a recipe that breaks it and nothing else; combinations that make sense pass."""

from typing import Any

import pytest

from models.spec.resolve import RecipeRefused, resolve
from models.spec.rules import RULES

Json = dict[str, Any]

PLAIN: Json = {"norm": "none"}
RECONSTRUCTION: Json = {
    "game": {"kind": "reconstruction"},
    "generator": {"kind": "mlp_autoencoder"},
    "critic": None,
    "objective": None,
    "critic_optimizer": None,
}
PAIRED: Json = {
    "game": {"kind": "paired", "task": "edges"},
    "generator": {"kind": "unet", "depth": 2},
    "critic": {"kind": "patch", "layers": 1},
}
SMALLER: Json = PAIRED | {
    "game": {"kind": "paired", "task": "downscaling", "conditional": False},
    "generator": {"kind": "srresnet"},
}
CLASSES: Json = {"game": {"conditional": True}}
STRINGS: Json = {"latent": {"size": 60}, "generator": {"kind": "sequence"}, "critic": {"kind": "sequence"}}

UNPAIRED: Json = {"game": {"kind": "unpaired"}, "generator": {"kind": "resnet"}, "critic": {"kind": "patch"}}

BROKEN: list[tuple[str, str, Json, str, str]] = [
    # rule, dataset, overrides of dcgan, pointer, part of the message
    ("crops_fit", "day2night", UNPAIRED | {"data": {"load": 32}}, "/data/load", "cannot be cut from pictures of 32"),
    (
        "game_fits_data",
        "digits",
        PAIRED | {"game": {"kind": "paired", "task": "given"}},
        "/game/task",
        "given for pairs",
    ),
    ("game_fits_data", "day2night", {}, "/game", "cannot be played on 'day2night'"),
    ("game_fits_data", "dyck", RECONSTRUCTION, "/game", "it takes images or points"),
    ("critic_unless_reconstruction", "digits", {"critic": None}, "/critic", "must not be null"),
    ("critic_unless_reconstruction", "digits", {"objective": None}, "/objective", "must not be null"),
    (
        "critic_unless_reconstruction",
        "digits",
        RECONSTRUCTION | {"critic": {"kind": "mlp"}},
        "/critic",
        "set critic to null",
    ),
    ("critic_unless_reconstruction", "digits", RECONSTRUCTION | {"critic_clip": 0.1}, "/critic_clip", "has no critic"),
    (
        "critic_unless_reconstruction",
        "digits",
        RECONSTRUCTION | {"penalties": [{"kind": "r1"}]},
        "/penalties",
        "score duels",
    ),
    ("critic_unless_reconstruction", "digits", RECONSTRUCTION | {"turns": {"unrolled": 1}}, "/turns", "one player"),
    (
        "cross_entropy_of_probabilities",
        "digits",
        RECONSTRUCTION
        | {
            "game": {"kind": "reconstruction", "loss": "cross_entropy"},
            "generator": {"kind": "mlp_autoencoder", "hidden": []},
        },
        "/game/loss",
        "squared or absolute",
    ),
    ("networks_fit_game", "digits", {"generator": {"kind": "unet"}}, "/generator", "of kind mlp, dcgan, residual"),
    ("networks_fit_game", "digits", {"critic": {"kind": "patch"}}, "/critic", "not patch"),
    ("networks_fit_data", "ring8", {}, "/generator", "convolutions need pictures"),
    ("networks_fit_data", "digits", {"generator": {"kind": "sequence"}}, "/generator", "need no generator of kind"),
    ("networks_fit_data", "dyck", {"generator": {"kind": "sequence"}}, "/critic", "need a critic of kind sequence"),
    ("upscaling_by_srresnet", "digits", SMALLER | {"generator": {"kind": "unet"}}, "/generator", "which enlarges"),
    ("upscaling_by_srresnet", "digits", PAIRED | {"generator": {"kind": "srresnet"}}, "/generator", "keep the size"),
    (
        "upscaling_by_srresnet",
        "digits",
        SMALLER | {"game": {"kind": "paired", "task": "downscaling"}},
        "/game/conditional",
        "is smaller than the critic's",
    ),
    ("sides_divide", "digits", PAIRED | {"data": {"side": 18}}, "/data/side", "divisible by 4"),
    ("sides_divide", "digits", SMALLER | {"data": {"side": 17}}, "/data/side", "divisible by 2"),
    (
        "patches_fit_side",
        "digits",
        PAIRED | {"critic": {"kind": "patch", "layers": 3}},
        "/critic/layers",
        "fewer layers",
    ),
    (
        "features_fit_side",
        "digits",
        PAIRED | {"game": {"kind": "paired", "task": "edges", "content": 1, "features": "vgg19"}},
        "/data/side",
        "32 at least",
    ),
    ("conditional_has_labels", "digits", CLASSES | {"data": {"classes": 0}}, "/game/conditional", "no class labels"),
    (
        "conditional_has_labels",
        "digits",
        CLASSES | {"generator": {"kind": "progressive"}},
        "/generator",
        "takes no class",
    ),
    ("conditional_has_labels", "digits", CLASSES | {"generator": PLAIN}, "/generator/norm", "through BatchNorm"),
    (
        "conditional_has_labels",
        "digits",
        CLASSES | {"critic": {"conditioning": "none"}},
        "/critic/conditioning",
        "add the penalty auxiliary",
    ),
    ("classes_only_if_conditional", "digits", {"penalties": [{"kind": "auxiliary"}]}, "/penalties", "needs classes"),
    (
        "classes_only_if_conditional",
        "digits",
        {"generator": {"kind": "stacked"}},
        "/game/conditional",
        "needs a class",
    ),
    (
        "classes_only_if_conditional",
        "digits",
        {"generator": {"kind": "residual", "hierarchical": True}},
        "/game/conditional",
        "needs a class",
    ),
    ("began_with_autoencoder_critic", "digits", {"objective": {"kind": "began"}}, "/critic", "kind autoencoder"),
    (
        "began_with_autoencoder_critic",
        "digits",
        {"critic": {"kind": "autoencoder"}},
        "/objective",
        "set the objective to began",
    ),
    ("wasserstein_is_lipschitz", "digits", {"objective": {"kind": "wasserstein"}}, "/objective", "critic_clip"),
    (
        "wasserstein_is_lipschitz",
        "digits",
        {"objective": {"kind": "wasserstein"}, "critic": {"norm": "spectral", "minibatch": "deviation"}},
        "/objective",
        "add a gradient_penalty",
    ),
    (
        "gradient_penalty_without_batch_norm",
        "digits",
        {"penalties": [{"kind": "r2"}]},
        "/critic/norm",
        "mixes the batch",
    ),
    (
        "penalties_fit_game",
        "digits",
        PAIRED | {"penalties": [{"kind": "jacobian_clamping"}]},
        "/penalties",
        "synthesis",
    ),
    ("penalties_fit_game", "digits", {"penalties": [{"kind": "mode_regulariser"}]}, "/generator", "_autoencoder"),
    (
        "penalties_fit_game",
        "digits",
        {"critic": {"kind": "stacked"}, "penalties": [{"kind": "feature_matching"}]},
        "/penalties",
        "no features",
    ),
    (
        "penalties_fit_game",
        "digits",
        {"penalties": [{"kind": "jacobian_clamping", "least": 5, "most": 5}]},
        "/penalties",
        "below `most`",
    ),
    (
        "penalties_fit_game",
        "dyck",
        STRINGS | {"penalties": [{"kind": "jacobian_clamping"}]},
        "/penalties",
        "by small steps",
    ),
    (
        "penalties_fit_game",
        "digits",
        {"objective": {"kind": "d2gan"}, "critic": PLAIN, "penalties": [{"kind": "r1"}]},
        "/penalties",
        "remove r1",
    ),
    (
        "penalties_fit_game",
        "digits",
        {
            "objective": {"kind": "d2gan"},
            "generator": {"kind": "dcgan_autoencoder"},
            "penalties": [{"kind": "mode_regulariser"}],
        },
        "/penalties",
        "raises scores",
    ),
    (
        "penalties_fit_game",
        "digits",
        CLASSES | {"generator": {"kind": "stacked"}, "penalties": [{"kind": "historical_averaging"}]},
        "/penalties",
        "the frozen stage",
    ),
    ("packs_are_whole", "digits", {"game": {"packing": 3}}, "/batch_size", "multiple of 3"),
    ("packs_are_whole", "digits", {"game": {"conditional": True, "packing": 2}}, "/game/packing", "several classes"),
    (
        "packs_are_whole",
        "digits",
        {"game": {"packing": 2}, "critic": {"kind": "progressive"}},
        "/critic",
        "Packs are judged by",
    ),
    (
        "packs_are_whole",
        "digits",
        {
            "game": {"packing": 2},
            "generator": {"kind": "mlp_autoencoder"},
            "penalties": [{"kind": "mode_regulariser"}],
        },
        "/penalties",
        "single examples",
    ),
    ("augment_only_images", "dyck", STRINGS | {"game": {"augment": {}}}, "/game/augment", "are for pictures"),
    (
        "one_kind_of_lookahead",
        "digits",
        {"critic": PLAIN, "turns": {"unrolled": 1, "prediction": True}},
        "/turns",
        "choose one",
    ),
    (
        "one_kind_of_lookahead",
        "digits",
        {"turns": {"order": "simultaneous", "prediction": True}},
        "/turns/order",
        "critic_first",
    ),
    (
        "one_kind_of_lookahead",
        "digits",
        {"turns": {"unrolled": 1}},
        "/critic/norm",
        "must not change the critic's buffers",
    ),
    (
        "one_kind_of_lookahead",
        "digits",
        PAIRED | {"turns": {"unrolled": 1}},
        "/turns/unrolled",
        "for the game synthesis",
    ),
    ("latent_holds_noise", "dyck", STRINGS | {"latent": {"size": 48}}, "/latent/size", "more than 48"),
    (
        "latent_is_standard_normal",
        "dyck",
        STRINGS | {"latent": {"size": 60, "scale": 2}},
        "/latent",
        "with a scale of 1",
    ),
    (
        "latent_is_standard_normal",
        "digits",
        RECONSTRUCTION | {"game": {"kind": "reconstruction", "divergence": 1}, "latent": {"kind": "uniform"}},
        "/latent",
        "make the latent normal",
    ),
    (
        "batch_norm_needs_two_examples",
        "digits",
        {"batch_size": 1, "generator": {"kind": "mlp", "norm": "batch"}},
        "/batch_size",
        "2 or more",
    ),
    (
        "paired_game_has_a_loss",
        "digits",
        PAIRED | {"game": {"kind": "paired", "task": "edges", "adversarial": 0, "pixel": 0}},
        "/game",
        "has no loss",
    ),
    (
        "adaptive_augment_needs_logits",
        "digits",
        {"objective": {"kind": "least_squares"}, "game": {"augment": {"target": 0.6}}},
        "/game/augment/target",
        "mean nothing under least_squares",
    ),
    (
        "latent_holds_noise",
        "dyck",
        STRINGS | {"generator": {"kind": "sequence", "hot": 1, "cold": 2}},
        "/generator/cold",
        "falls",
    ),
    (
        "latent_holds_noise",
        "digits",
        CLASSES | {"latent": {"size": 7}, "generator": {"kind": "residual", "hierarchical": True}},
        "/latent/size",
        "8 or more",
    ),
    (
        "latent_holds_noise",
        "digits",
        CLASSES | {"latent": {"size": 32}, "generator": {"kind": "stacked"}},
        "/latent/size",
        "larger than 32",
    ),
    (
        "stages_switch_together",
        "digits",
        CLASSES | {"generator": {"kind": "stacked"}, "critic": {"kind": "stacked", "first": 0.4}},
        "/critic/first",
        "set critic.first to 0.5",
    ),
    (
        "simultaneous_is_one_to_one",
        "digits",
        {"turns": {"order": "simultaneous", "critic_steps": 2}},
        "/turns/critic_steps",
        "equally often",
    ),
    (
        "each_penalty_once",
        "digits",
        {"penalties": [{"kind": "feature_matching"}, {"kind": "feature_matching"}]},
        "/penalties",
        "twice",
    ),
    (
        "watch_metric_fits_game",
        "digits",
        {"watch": {"metric": "psnr"}},
        "/watch/metric",
        "frechet, coverage or agreement",
    ),
    ("watch_metric_fits_game", "digits", {"watch": {"metric": "agreement"}}, "/watch/metric", "a conditional game"),
    ("evaluated_at_checkpoints", "digits", {"checkpoint_every": 50, "watch": {"every": 75}}, "/watch/every", "50"),
]


@pytest.mark.parametrize(("rule", "dataset", "overrides", "pointer", "text"), BROKEN)
def test_a_broken_rule_says_where_and_what_to_change(
    rule: str, dataset: str, overrides: Json, pointer: str, text: str
) -> None:
    with pytest.raises(RecipeRefused) as caught:
        resolve("dcgan", dataset=dataset, overrides=overrides)
    (refusal,) = caught.value.refusals
    assert refusal.pointer == f"/overrides{pointer}"
    assert text in refusal.message


def test_every_rule_has_a_recipe_that_breaks_it() -> None:
    assert {rule.__name__ for rule in RULES} == {f"_{name}" for name, *_ in BROKEN}


@pytest.mark.parametrize(
    ("dataset", "overrides"),
    [
        ("digits", RECONSTRUCTION),
        ("digits", PAIRED),
        ("digits", SMALLER),
        ("dyck", STRINGS),
        ("digits", {"objective": {"kind": "wasserstein"}, "critic": {"norm": "spectral"}}),
        ("digits", {"critic": PLAIN, "penalties": [{"kind": "r1"}, {"kind": "r2"}], "turns": {"unrolled": 2}}),
        ("digits", CLASSES | {"critic": {"conditioning": "none"}, "penalties": [{"kind": "auxiliary"}]}),
        ("digits", {"game": {"packing": 4, "augment": {"target": 0.6}, "instance_noise": {}}}),
    ],
)
def test_techniques_that_fit_each_other_pass_the_rules(dataset: str, overrides: Json) -> None:
    resolve("dcgan", dataset=dataset, overrides=overrides)
