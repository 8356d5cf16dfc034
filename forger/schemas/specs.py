"""Define the specification of each kind of job in replies."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field

Features = Literal["own", "inception"]
ShardFormat = Literal["zip", "npz"]
Direction = Literal["a2b", "b2a"]
HeldOut = Literal["test", "fifth"]


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class Weights(Spec):
    """Trained weights: those of a model's version or those of a checkpoint."""

    model: str | None = Field(description="name@version; null if a checkpoint was named.")
    checkpoint: str | None = Field(description="Id of the checkpoint; null if a model was named.")
    job: str | None = Field(description="The training that produced them; it may have been deleted.")
    step: int = Field(description="The training's step at which they were saved.")
    sha256: str


class TrainSpec(Spec):
    """Train a GAN by the job's recipe, and publish it."""

    kind: Literal["train"] = "train"
    devices: int = Field(description="Devices that share every batch; they affect the bytes.")
    start_from: Weights | None = Field(description="The initial weights; null: random ones.")
    extended_at: int | None = Field(description="The step at which it was last extended; null: never.")


class EvaluateSpec(Spec):
    """Measure trained weights on held-out data."""

    kind: Literal["evaluate"] = "evaluate"
    weights: Weights
    n: int = Field(description="Examples drawn and compared.")
    features: Features
    seed: int
    figures: list[str] | None = Field(description="Only these; null: all that suit the model.")
    curve: bool = Field(False, exclude_if=lambda curve: not curve, description="Whether the curve was requested.")


class GenerateSpec(Spec):
    """Draw pictures from noise into shards."""

    kind: Literal["generate"] = "generate"
    weights: Weights
    n: int
    classes: dict[str, int] | None = Field(
        description="How many of each class, by number; null: as equally many of each as possible."
    )
    seed: int
    temperature: float
    truncation: float | None = Field(
        None,
        exclude_if=lambda truncation: truncation is None,
        description="Threshold beyond which numbers of the latent are drawn again.",
    )
    format: ShardFormat
    shard: int = Field(description="Pictures in one shard.")


class TranslateSpec(Spec):
    """Translate the pictures of a dataset, or those of the request, into shards."""

    kind: Literal["translate"] = "translate"
    weights: Weights
    dataset: str | None = Field(description="Null if the request contained the pictures.")
    direction: Direction = Field(
        description="b2a: the reverse direction; it translates the second half of a paired dataset."
    )
    format: ShardFormat
    shard: int = Field(description="Pictures in one shard.")
    files: int | None = Field(description="Number of pictures in the request.")
    input: str | None = Field(description="The sha256 of their zip.")


class AugmentSpec(Spec):
    """Draw labelled pictures for a dataset, filter them, and measure whether they help a classifier."""

    kind: Literal["augment"] = "augment"
    weights: Weights | None = Field(description="The generator's weights; null: the job trains it by its recipe.")
    held_out: HeldOut = Field(
        description="Real pictures for the comparison: the test split, or every fifth of each class of a dataset "
        "without one. The generator never saw them."
    )
    per_class: int = Field(description="Pictures of each class to keep.")
    seed: int
    seeds: int = Field(description="Classifiers that are trained with each set of pictures.")
    classifier_steps: int = Field(description="Training steps of each classifier.")


SpecOut = Annotated[TrainSpec | EvaluateSpec | GenerateSpec | TranslateSpec | AugmentSpec, Discriminator("kind")]
