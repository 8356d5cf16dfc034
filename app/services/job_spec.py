"""JobSpec: what a job does. Its request is made whole to it, its row stores it, its runner gets it.

A further kind of job is one class here, and one arm each where requests are made whole (app.api.routes.create_job) and
where runners are chosen (worker.runners.main).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Discriminator, TypeAdapter

from forger.schemas.specs import EvaluateSpec, GenerateSpec, TrainSpec, TranslateSpec
from models.spec import upgrade
from models.spec.recipe import Recipe


class _Whole(BaseModel):
    recipe: Recipe
    """of the networks that are trained or used"""
    family: str | None
    """None for a recipe that the client wrote"""
    model_name: str
    """what a training publishes, or the model whose weights are used"""

    @property
    def dataset_name(self) -> str:
        """The dataset that the job is listed under."""
        return self.recipe.data.dataset

    @property
    def source_job(self) -> str | None:
        """The training whose weights are used."""
        return None

    @property
    def total(self) -> int:
        """Steps or pictures; 0 where that is not known before the first attempt."""
        return 0

    def stored(self) -> dict[str, Any]:
        """Return the JSON that the row keeps; `read_spec` reads it."""
        return self.model_dump(mode="json")


class Train(TrainSpec, _Whole):
    @property
    def total(self) -> int:
        budget = self.recipe.budget
        return budget.steps if budget.minutes is None else 0


class Evaluate(EvaluateSpec, _Whole):
    @property
    def source_job(self) -> str | None:
        return self.weights.job


class Generate(GenerateSpec, _Whole):
    @property
    def source_job(self) -> str | None:
        return self.weights.job

    @property
    def total(self) -> int:
        return self.n


class Translate(TranslateSpec, _Whole):
    @property
    def dataset_name(self) -> str:
        return self.dataset or self.recipe.data.dataset

    @property
    def source_job(self) -> str | None:
        return self.weights.job

    @property
    def total(self) -> int:
        return self.files or 0


JobSpec = Annotated[Train | Evaluate | Generate | Translate, Discriminator("kind")]
_ADAPTER: TypeAdapter[JobSpec] = TypeAdapter(JobSpec)


def read_spec(stored: Mapping[str, Any]) -> JobSpec:
    """Read a spec that this service once wrote."""
    return _ADAPTER.validate_python({**stored, "recipe": upgrade.read_recipe(stored["recipe"])})


Spec_co = TypeVar("Spec_co", bound=JobSpec, covariant=True)


def _holds_nothing(job_id: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class JobPlan(Generic[Spec_co]):
    """What a job does, and what creating it takes.

    `stored_bytes` is the most that it keeps on the disk. `hold` takes the job's id and puts the files that it needs
    into its folder, so that they stay whatever becomes of their origin.
    """

    spec: Spec_co
    stored_bytes: int
    hold: Callable[[str], None] = _holds_nothing
