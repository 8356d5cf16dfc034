"""JobSpec: everything that a job does. A request is completed into it, the job's row stores it, its runner reads it.

To add a kind of job, add one class here and one case in each of two places: where requests are completed
(app.api.routes.create_job) and where runners are chosen (worker.runners.main).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Discriminator, TypeAdapter

from forger.schemas.specs import AugmentSpec, EvaluateSpec, GenerateSpec, TrainSpec, TranslateSpec
from forger.wire import ARMS
from models.spec import upgrade
from models.spec.recipe import Recipe


class _Resolved(BaseModel):
    """The fields that completing a request adds to every kind of job."""

    recipe: Recipe
    """the recipe of the networks that the job trains or uses"""
    family: str | None
    """the family that the recipe comes from; None if the client wrote the whole recipe"""
    model_name: str
    """the name under which a training publishes, or the name of the model whose weights the job uses"""

    @property
    def dataset_name(self) -> str:
        """The dataset by which jobs are filtered."""
        return self.recipe.data.dataset

    @property
    def source_job(self) -> str | None:
        """The id of the training job whose weights the job uses; None if there is none."""
        return None

    @property
    def total(self) -> int:
        """The number of steps or pictures in all; 0 if it is unknown before the first attempt."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that the job's row stores; `read_spec` reads it."""
        return self.model_dump(mode="json")


class Train(TrainSpec, _Resolved):
    @property
    def total(self) -> int:
        budget = self.recipe.budget
        return budget.steps if budget.minutes is None else 0


class Evaluate(EvaluateSpec, _Resolved):
    @property
    def source_job(self) -> str | None:
        return self.weights.job


class Generate(GenerateSpec, _Resolved):
    @property
    def source_job(self) -> str | None:
        return self.weights.job

    @property
    def total(self) -> int:
        return self.n


class Translate(TranslateSpec, _Resolved):
    @property
    def dataset_name(self) -> str:
        return self.dataset or self.recipe.data.dataset

    @property
    def source_job(self) -> str | None:
        return self.weights.job

    @property
    def total(self) -> int:
        return self.files or 0


class Augment(AugmentSpec, _Resolved):
    @property
    def source_job(self) -> str | None:
        return None if self.weights is None else self.weights.job

    @property
    def training_steps(self) -> int:
        """The steps of the generator's training; 0 if the job uses trained weights."""
        return self.recipe.budget.steps if self.weights is None else 0

    @property
    def total(self) -> int:
        """Count the steps of the generator, the pictures to keep, and the steps of all classifiers."""
        pictures = self.per_class * self.recipe.classes
        return self.training_steps + pictures + len(ARMS) * self.seeds * self.classifier_steps


JobSpec = Annotated[Train | Evaluate | Generate | Translate | Augment, Discriminator("kind")]
_ADAPTER: TypeAdapter[JobSpec] = TypeAdapter(JobSpec)


def read_spec(stored: Mapping[str, Any]) -> JobSpec:
    """Read a spec that this version or an older one has stored."""
    return _ADAPTER.validate_python({**stored, "recipe": upgrade.read_recipe(stored["recipe"])})


Spec_co = TypeVar("Spec_co", bound=JobSpec, covariant=True)


def _keep_no_files(job_id: str) -> None:
    """Keep nothing: the job needs no files of others."""


@dataclass(frozen=True, slots=True)
class JobPlan(Generic[Spec_co]):
    """A job before it is created: its spec, its disk space and the files that it needs.

    `stored_bytes` is the upper bound of the bytes that the job keeps on disk. `keep_files` takes the job's id and puts
    the files that the job needs into the job's folder, so that they stay when their origin is deleted.
    """

    spec: Spec_co
    stored_bytes: int
    keep_files: Callable[[str], None] = _keep_no_files
