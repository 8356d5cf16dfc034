"""Augment datasets from Python: the part of the client that concerns /augmentations."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from forger.connection import Connection, idempotency_header
from forger.job import Job
from forger.schemas.augmentations import AugmentationOut
from forger.schemas.jobs import PlanOut

Json = Mapping[str, Any]


class Augmentations:
    """The methods of a client that augment datasets."""

    _connection: Connection

    def augment(
        self,
        dataset: str,
        per_class: int,
        *,
        model: str | None = None,
        recipe: str | Json | None = None,
        budget: Json | None = None,
        overrides: Json | None = None,
        seed: int | None = None,
        seeds: int | None = None,
        classifier_steps: int | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job that draws `per_class` labelled pictures of each class and measures whether they help.

        `model` draws them, or a generator that the job trains by `recipe`, `budget` and `overrides`, and publishes as
        `<family>-<dataset>-augment`; by default the newest suitable model. `seeds` classifiers, of `classifier_steps`
        steps each, are trained with each set of pictures. `augmentation` reads the report, Job.save_all fetches the
        pictures.

        >>> job = forger.augment("digits", 200).wait()
        >>> print(forger.augmentation(job.id).report.verdict)
        """
        body = _without_none(
            dataset=dataset, per_class=per_class, model=model, recipe=recipe, budget=budget, overrides=overrides,
            seed=seed, seeds=seeds, classifier_steps=classifier_steps,
        )  # fmt: skip
        sent = {"json": body, "headers": idempotency_header(idempotency_key)}
        reply = self._connection.read(AugmentationOut, "/augmentations", "POST", **sent)
        return Job(self._connection, reply.job)

    def try_augmentation(
        self,
        dataset: str,
        per_class: int,
        *,
        model: str | None = None,
        recipe: str | Json | None = None,
        budget: Json | None = None,
        overrides: Json | None = None,
        seed: int | None = None,
        seeds: int | None = None,
        classifier_steps: int | None = None,
    ) -> PlanOut:
        """Return the plan of the job that `augment` would create, or the reasons of its refusal; create nothing.

        `notes` warns of a test that is too small to conclude anything, and of an upload's classes of few pictures.

        >>> plan = forger.try_augmentation("digits", 200)
        >>> print(plan.spec.held_out if not plan.refusals else plan.refusals)
        """
        body = _without_none(
            dataset=dataset, per_class=per_class, model=model, recipe=recipe, budget=budget, overrides=overrides,
            seed=seed, seeds=seeds, classifier_steps=classifier_steps, dry_run=True,
        )  # fmt: skip
        return self._connection.read(PlanOut, "/augmentations", "POST", json=body)

    def augmentation(self, id_: str) -> AugmentationOut:
        """Read an augmentation by its job's full id; its `report` is None until the job has succeeded."""
        return self._connection.read(AugmentationOut, f"/augmentations/{quote(id_, safe='')}")


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
