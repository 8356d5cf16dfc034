"""Run a job that evaluates: load its weights and data, compute the figures, write the row."""

import json
import math
from typing import TYPE_CHECKING, Any

from app.core.settings import get_settings
from app.services.job_spec import Evaluate
from app.services.jobs import attempts
from app.services.views import JobView
from worker.runners import inputs
from worker.runners.inputs import load
from worker.runners.memory import memory_advice
from worker.runners.numerics import settle
from worker.runners.supervisor_link import CalledOff, Lifeline

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from torch import nn

    from data.readers.builtin import Data, Split
    from models.spec.recipe import Recipe


class Evaluator:
    """One attempt. An evaluation that is paused or tried again starts anew: it takes minutes and comes out equal."""

    def __init__(self, job: JobView, spec: Evaluate, fence: int, lifeline: Lifeline) -> None:
        self._job = job
        self._spec = spec
        self._fence = fence
        self._lifeline = lifeline

    def run(self) -> None:
        """Measures, or is called off; the job's row says which."""
        try:
            with memory_advice("ask for a smaller n"):
                self._run()
        except CalledOff:
            attempts.stopped(self._job.id, self._fence)

    def _run(self) -> None:
        from worker.evaluation.full import evaluate

        settings, spec = get_settings(), self._spec
        device = settle(self._job, self._fence).device
        self._beat()
        recipe, step, generator = self._generator()
        self._beat()
        found = evaluate(
            recipe,
            generator.to(device),
            step,
            self._load,
            n=spec.n,
            features=spec.features,
            seed=spec.seed,
            cache=settings.judges,
            weights=settings.data,
            beat=self._beat,
            only=spec.figures,
        )
        report = json.dumps(finite(found.as_dict()), indent=2).encode()
        figures = finite(found.figures)
        attempts.measured(self._job.id, self._fence, figures, found.provenance, report, found.picture)

    def _generator(self) -> "tuple[Recipe, int, nn.Module]":
        """The recipe and the generator that serves: of a checkpoint its average, made ready as for an export."""
        from models.export import load_averaged, load_generator

        weights = self._spec.weights
        path = inputs.verified_weights(self._job.id, weights, self._beat)
        if weights.model is not None:
            return load_generator(path)
        return self._spec.recipe, *load_averaged(self._spec.recipe, path, self._beat)

    def _load(self, split: "Split") -> "Data":
        return load(self._spec.recipe.data, split, self._beat)

    def _beat(self) -> None:
        """Between two stages. Raises CalledOff."""
        self._lifeline.heed(0)


def finite(value: Any) -> Any:
    """JSON with null for what was not finite."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {name: finite(part) for name, part in value.items()}
        case list() | tuple():
            return [finite(part) for part in value]
        case _:
            return value
