"""Define what models can do: requests name the capability that they need."""

from collections.abc import Callable
from dataclasses import dataclass

from models.spec.recipe import Recipe


@dataclass(frozen=True)
class Capability:
    """A capability that a request needs of a model, and the messages of its refusals."""

    suits: Callable[[Recipe], bool]
    """whether models of a recipe have it"""
    pointer: str
    """JSON pointer of a refusal"""
    refusal: str
    """rest of the sentence about a model that does not have it"""
    example: str
    """body of a request that trains a model with it"""


SAMPLING = Capability(
    lambda recipe: recipe.generates,
    "/model",
    "draws nothing from noise; leave `model` out for the newest that does",
    '{"recipe": "dcgan", "dataset": "digits"}',
)
CLASS_SAMPLING = Capability(
    lambda recipe: recipe.class_conditional,
    "/class",
    "has no classes; leave `class` out, or name a model trained with classes",
    '{"recipe": "cdcgan", "dataset": "digits"}',
)
DECODING = Capability(
    lambda recipe: recipe.decodes,
    "/model",
    "has no latent vector; name a model that generates from one",
    SAMPLING.example,
)
PICTURE_DECODING = Capability(
    lambda recipe: recipe.decodes_pictures,
    "/model",
    "generates no pictures from latents; name a model that does",
    SAMPLING.example,
)
TRANSLATION = Capability(
    lambda recipe: recipe.translates,
    "/model",
    "translates nothing; leave `model` out for the newest that does",
    '{"recipe": "cyclegan", "dataset": "day2night"}',
)
UPSCALING = Capability(
    lambda recipe: recipe.upscaling > 1,
    "/model",
    "enlarges nothing; leave `model` out for the newest that does",
    '{"recipe": "srgan", "dataset": "digits"}',
)
INPAINTING = Capability(
    lambda recipe: recipe.fills_holes or recipe.decodes_pictures,
    "/model",
    "fills no holes, and generates no pictures from latents; leave `model` out for the newest that does",
    '{"recipe": "inpaint", "dataset": "digits"}',
)
FEATURES = Capability(
    lambda recipe: recipe.feature_source is not None,
    "/model",
    "has no features of single pictures; leave `model` out for the newest that has",
    SAMPLING.example,
)
BACK_TRANSLATION = Capability(
    lambda recipe: recipe.game.kind == "unpaired",
    "/direction",
    "translates one way only: leave `direction` out, or name a model trained both ways",
    TRANSLATION.example,
)
