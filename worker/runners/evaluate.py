"""Run a job that evaluates: load its weights and data, compute the figures, write the row."""

import json
import math
from typing import TYPE_CHECKING, Any

from app.core.settings import get_settings
from app.services.job_spec import Evaluate
from app.services.jobs import attempts
from app.services.models.source_weights import CRITIC_FILE, SOURCE_FILE
from app.services.views import JobView
from models.spec.watch import PROBE
from worker.runners import inputs
from worker.runners.inputs import load_data
from worker.runners.memory import memory_advice
from worker.runners.numerics import agree_numerics
from worker.runners.supervisor_link import StopRequested, SupervisorLink

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from torch import nn

    from data.readers.builtin import Data, Split
    from models.features import FeatureExtractor
    from models.spec.recipe import Recipe


class EvaluateRunner:
    """One attempt. It always starts from the beginning: an evaluation takes minutes and gives the same figures."""

    def __init__(self, job: JobView, spec: Evaluate, fence: int, link: SupervisorLink) -> None:
        self._job = job
        self._spec = spec
        self._fence = fence
        self._link = link

    def run(self) -> None:
        """Evaluate, or stop when ordered to; the job's row says which."""
        try:
            with memory_advice("request a smaller n"):
                self._run()
        except StopRequested:
            attempts.stop(self._job.id, self._fence)

    def _run(self) -> None:
        from worker.evaluation.full import evaluate

        settings, spec = get_settings(), self._spec
        device = agree_numerics(self._job, self._fence).device
        self._beat()
        recipe, step, generator = self._generator()
        extractor = self._extractor(recipe, step, generator)
        self._beat()
        evaluation = evaluate(
            recipe,
            generator.to(device),
            step,
            self._load,
            n=spec.n,
            features=spec.features,
            seed=spec.seed,
            cache=settings.judges,
            weights=settings.data,
            heartbeat=self._beat,
            only=spec.figures,
            curve=spec.curve,
            extractor=extractor and extractor.to(device),
        )
        report = json.dumps(null_if_not_finite(evaluation.as_dict()), indent=2).encode()
        figures = null_if_not_finite(evaluation.figures)
        attempts.finish_evaluation(
            self._job.id,
            self._fence,
            figures,
            evaluation.provenance,
            report,
            evaluation.picture,
            null_if_not_finite(evaluation.curve),
            evaluation.probe,
        )

    def _generator(self) -> "tuple[Recipe, int, nn.Module]":
        """Return the recipe, the step and the generator of a model, or of a checkpoint as it would be exported."""
        from models.export import load_averaged, load_generator

        weights = self._spec.weights
        path = inputs.verified_weights(self._job.id, weights, self._beat)
        if weights.model is not None:
            return load_generator(path)
        return self._spec.recipe, *load_averaged(self._spec.recipe, path, self._beat)

    def _extractor(self, recipe: "Recipe", step: int, generator: "nn.Module") -> "FeatureExtractor | None":
        """Return the network whose features are probed; None if no probe is requested. Raises WeightsDamaged."""
        from models.checkpoint import DamagedCheckpoint
        from models.features import FeatureExtractor, load_critic

        if PROBE not in (self._spec.figures or ()):
            return None
        if recipe.feature_source == "encoder":
            return FeatureExtractor(recipe, generator, step)
        file = SOURCE_FILE if self._spec.weights.model is None else CRITIC_FILE
        try:
            return load_critic(recipe, get_settings().checkpoints(self._job.id) / file)
        except DamagedCheckpoint as error:
            raise inputs.WeightsDamaged("The critic that this job uses is damaged. Create the job again.") from error

    def _load(self, split: "Split") -> "Data":
        return load_data(self._spec.recipe.data, split, self._beat)

    def _beat(self) -> None:
        """Send a heartbeat between two parts of the work. Raises StopRequested."""
        self._link.check_stop(0)


def null_if_not_finite(value: Any) -> Any:
    """Replace every float that is not finite by None in a value of dicts, lists, tuples and scalars."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: null_if_not_finite(part) for name, part in value.items()}
        case list() | tuple():
            return [null_if_not_finite(part) for part in value]
        case _:
            return value
