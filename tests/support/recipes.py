"""Small recipes: every family with networks so small that it takes a step in milliseconds."""

from typing import Any

from models.spec.recipe import Recipe
from models.spec.resolve import resolve

Json = dict[str, Any]
TINY: Json = {"data": {"side": 8}, "generator": {"width": 4}, "critic": {"width": 4}}
SMALL_OVERRIDES: dict[str, Json] = {
    "cyclegan": {"data": {"side": 16}, "game": {"pool": 6}, "generator": {"blocks": 1}, "critic": {"layers": 1}},
    "gan": {"batch_size": 16},
    "acgan": TINY,
    "began": TINY | {"critic": {"width": 4, "code": 8}},
    "sngan": TINY,
    "sagan": TINY,
    "biggan": TINY,
    "progan": TINY | {"data": {"side": 16}},  # three stages; two of them fade in within STEPS
    "stackgan": TINY | {"generator": {"width": 4, "condition": 8}},  # the second stage begins after half of STEPS
    "d2gan": TINY,
    "r3gan": TINY,
    "unrolled": TINY | {"turns": {"unrolled": 2}},
    "pacgan": TINY,
    "minibatch": TINY,
    "mdgan": TINY,
    "gumbel_gan": {"generator": {"width": 8}, "critic": {"width": 4}},
    "autoencoder": {"data": {"side": 8}, "generator": {"width": 4}},
    "pix2pix": {"data": {"side": 16}, "generator": {"width": 4, "depth": 2}, "critic": {"width": 4, "layers": 1}},
    "srgan": {"generator": {"width": 4, "blocks": 1}, "critic": {"width": 4}, "game": {"features_steps": 2}},
    "inpaint": {"generator": {"kind": "unet", "width": 4, "depth": 2, "dropout": 0.5}, "critic": {"width": 4}},
}
"""by family; R1 is due at steps 0 and 8"""
STEPS = 10
"""the budget of `small_recipe`"""
PLAIN_CRITIC: Json = {"critic": {"norm": "none"}}
TWISTS: tuple[Json, ...] = (
    {"turns": {"unrolled": 1}} | PLAIN_CRITIC,
    {"turns": {"prediction": True}},
    {"turns": {"order": "generator_first"}},
    {"turns": {"order": "simultaneous"}},
    {"turns": {"critic_steps": 2}},
    {"game": {"packing": 2}},
    {"game": {"augment": {"target": 0.6, "pace": 100}}},
    {"game": {"instance_noise": {"start": 0.2, "until": 0.5}}},
    {"game": {"conditional": True}},
    {"game": {"content": 1, "features_steps": 1}},
    {"game": {"divergence": 1}},
    {"critic": {"minibatch": "discrimination"}},
    {"critic": {"minibatch": "deviation"}},
    {"critic": {"dropout": 0.3}},
    {"critic": {"norm": "spectral"}},
    {"critic": {"kind": "residual", "width": 4}},
    {"generator": {"norm": "none"}},
    {"generator": {"kind": "residual", "width": 4, "attention": True}},
    {"generator": {"kind": "mlp", "hidden": [8], "norm": "batch"}},
    {"data": {"side": 12}},
    {"data": {"channels": 3}},
    {"latent": {"kind": "uniform"}},
    {"batch_size": 1},
    {"critic_clip": 0.1},
    *({"penalties": [{"kind": kind}]} | PLAIN_CRITIC for kind in ("gradient_penalty", "r1", "r2")),
    *({"penalties": [{"kind": kind}]} for kind in ("feature_matching", "historical_averaging", "jacobian_clamping")),
    *({"objective": {"kind": kind}} for kind in ("minimax", "hinge", "relativistic", "kl", "reverse_kl", "d2gan")),
    *({"generator_optimizer": {"kind": kind}} for kind in ("sgd", "rmsprop")),
)
"""overrides that change one part of a recipe; tests apply them to every family"""


def small_recipe(family: str, seed: int = 3, **overrides: Any) -> Recipe:
    """Return the family's recipe with small networks, STEPS steps, a checkpoint every 5 and a report every 2."""
    merged = {"batch_size": 8} | SMALL_OVERRIDES.get(family, {}) | overrides
    recipe = resolve(family, seed=seed, budget={"steps": STEPS}, overrides=merged)[1]
    return recipe.model_copy(update={"checkpoint_every": 5, "report_every": 2})
