"""Define the replies of /augmentations, and the report that such a job leaves."""

from pydantic import Field

from forger.schemas.base import Out
from forger.schemas.jobs import JobOut


class Spread(Out):
    """Shares in [0, 1], one for each seed: their mean and sample deviation."""

    mean: float
    deviation: float
    values: list[float]


class Gain(Out):
    """The difference of two accuracies, with its 95 % interval. It is shown only if the interval excludes zero."""

    mean: float
    low: float
    high: float


class AugmentedClass(Out):
    """One class: its pictures, the result of the filter, and the recall of classifiers on held-out pictures."""

    number: int
    name: str
    training: int = Field(description="Real training pictures.")
    held_out: int = Field(description="Real pictures that are held out.")
    generated: int
    disagreed: int = Field(description="Left out: the filter's classifier sees another class.")
    near_training: int = Field(description="Left out: a near copy of a training picture.")
    near_generated: int = Field(description="Left out: a near copy of a picture of the class that was kept before.")
    kept: int
    recall_before: Spread | None = Field(description="With real pictures alone; null if none is held out.")
    recall_after: Spread | None = Field(description="With real and generated pictures; null if none was kept.")


class AugmentedGenerator(Out):
    """The generator that drew the pictures."""

    family: str | None
    export_sha256: str
    step: int


class AugmentationReport(Out):
    """Whether generated pictures help a classifier, measured on held-out real pictures."""

    dataset: str
    side: int
    channels: int
    generator: AugmentedGenerator
    per_class: int = Field(description="Pictures of each class that were requested.")
    seed: int
    seeds: int
    classifier_steps: int = Field(description="Training steps of every classifier, with whichever pictures.")
    batch_size: int
    filter: str = Field(description="How the pictures were filtered.")
    training: int = Field(description="Real training pictures.")
    held_out: int = Field(description="Held-out real pictures on which the classifiers are compared.")
    accuracy: dict[str, Spread] = Field(
        description="Accuracy on held-out pictures by what the classifier was trained with: `real`, `generated`, "
        "`both`, or `classical`, which is real pictures moved, turned and scaled at random."
    )
    gains: dict[str, Gain] = Field(
        description="Gain in accuracy over `real` of the others; `both_over_classical` over `classical`."
    )
    interval: str = Field(description="What the intervals of the gains cover.")
    useful: bool = Field(description="Whether the interval of the gain of `both` over `real` lies above zero.")
    verdict: str
    warnings: list[str]
    classes: list[AugmentedClass]


class AugmentationOut(Out):
    """An augmentation: its job, and its report once it has succeeded."""

    job: JobOut
    report: AugmentationReport | None = Field(description="Null until the job has succeeded.")
    links: dict[str, str] = Field(
        description="`self` and `job`; once they exist, `report` as a file and `pictures`, the labelled ZIP."
    )
