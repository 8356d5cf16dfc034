"""Request body of /augmentations."""

from pydantic import Field

from app.core.limits import (
    MAX_AUGMENTATION_SEEDS,
    MAX_AUGMENTED_PICTURES,
    MAX_CLASSIFIER_STEPS,
    MIN_AUGMENTATION_SEEDS,
    MIN_CLASSIFIER_STEPS,
)
from app.schemas.base import RequestBody, Seed
from app.schemas.jobs import FamilyOrRecipe
from app.schemas.samples import Reference
from forger.schemas.base import Json


class AugmentationIn(RequestBody):
    """Labelled pictures to add to a dataset, and the test whether they help.

    With `model` that model draws them. With `recipe`, `budget` or `overrides` the job trains one first. With none of
    these the newest model with classes that was trained on the dataset draws them; if there is none, the job trains
    `cdcgan`.
    """

    dataset: str = Field(max_length=100, description="A labelled dataset of pictures with a test split.")
    per_class: int = Field(ge=1, le=MAX_AUGMENTED_PICTURES, description="Pictures of each class to keep.")
    model: Reference | None = Field(None, description="A model with classes that was trained on the dataset.")
    recipe: FamilyOrRecipe | None = Field(None, description="A family with classes, or a whole recipe, to train.")
    budget: Json | None = Field(None, description='Of the training, for example {"steps": 1200}.')
    overrides: Json | None = Field(None, description="Changes to the family's recipe (RFC 7396).")
    seed: Seed = Field(0, description="Seed of the training, of the pictures and of the classifiers.")
    seeds: int = Field(
        5,
        ge=MIN_AUGMENTATION_SEEDS,
        le=MAX_AUGMENTATION_SEEDS,
        description="Classifiers that are trained with each set of pictures.",
    )
    classifier_steps: int = Field(
        500, ge=MIN_CLASSIFIER_STEPS, le=MAX_CLASSIFIER_STEPS, description="Training steps of each classifier."
    )
    dry_run: bool = Field(False, description="Reply with what would be done, and create nothing.")
