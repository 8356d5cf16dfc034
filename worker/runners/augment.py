"""Run a job that augments a dataset: train or load a generator, draw, filter, and compare classifiers.

Each part is recorded when it is done: a checkpoint of the training, a class that was filtered, the ZIP, a classifier.
The next attempt goes on with the first part that is missing.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.settings import get_settings
from app.core.store import Store
from app.services.datasets import catalog
from app.services.job_spec import Augment, Train
from app.services.jobs import attempt_files, attempts, augmentations, shards
from app.services.views import JobView
from forger.schemas.augmentations import AugmentedGenerator
from forger.wire import ARMS
from models.spec.data import Images
from worker.runners import inputs
from worker.runners.memory import memory_advice
from worker.runners.numerics import agree_numerics
from worker.runners.shard_writer import MEDIA_TYPES, ShardExample, ShardWriter
from worker.runners.supervisor_link import StopRequested, SupervisorLink
from worker.runners.train import TrainRunner

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from torch import Tensor

    from data.readers.builtin import Data
    from serving.loaded import LoadedModel
    from worker.augmentation.selection import Selection

MAX_HELD_OUT = 10_000
"""most held-out pictures on which classifiers are compared, evenly spaced"""
EXPORT_FILE = "export.safetensors"


class GeneratorTraining(TrainRunner):
    """The training inside an augmentation: it publishes its model, and the job goes on."""

    def __init__(self, job: JobView, spec: Augment, fence: int, link: SupervisorLink) -> None:
        training = Train(
            recipe=spec.recipe,
            family=spec.family,
            model_name=spec.model_name,
            devices=1,
            start_from=None,
            extended_at=None,
        )
        super().__init__(job, training, fence, link)
        self._held_out = spec.held_out

    def _load(self) -> "Data":
        data = super()._load()
        from worker.augmentation import splits

        return splits.training_part(data) if self._held_out == "fifth" else data

    def train(self) -> None:
        """Train to the end. Raises StopRequested."""
        with self._reports:
            self._run()

    def _record_export(self, export: Path, card: dict[str, Any], **measured: Any) -> None:
        measured = {name: measured[name] for name in ("step", "figures")}
        attempts.publish_generator(self._job_id, self._fence, export, card, **measured)


class AugmentRunner:
    """One attempt. Recorded parts stay; the attempt computes those that are missing."""

    def __init__(self, job: JobView, spec: Augment, fence: int, link: SupervisorLink) -> None:
        self._job = job
        self._spec = spec
        self._fence = fence
        self._link = link
        self._step = job.step
        """the step that heartbeats report"""

    def run(self) -> None:
        """Augment, or stop when ordered to; the job's row says which."""
        try:
            with memory_advice("ask for fewer pictures of each class, or let the job run where there is more"):
                self._run()
        except StopRequested:
            attempts.stop(self._job.id, self._fence)

    def _run(self) -> None:
        self._beat()
        generator = self._generator()
        loaded = self._loaded(generator)
        real = self._real()
        selections = self._filtered(loaded, real)
        generated = self._kept_pictures(loaded, selections)
        self._write_zip(generated, selections)
        # The filter is done: no held-out picture was read before.
        held_out = self._held_out()
        correct = self._classifier_results(real, generated, held_out)
        self._finish(generator, real, selections, held_out[1], correct)

    def _generator(self) -> AugmentedGenerator:
        """Return the generator; train it first if the job has to and has not done so."""
        spec = self._spec
        if spec.weights is not None:
            return AugmentedGenerator(family=spec.family, export_sha256=spec.weights.sha256, step=spec.weights.step)
        if augmentations.artifact(self._job.id, EXPORT_FILE) is None:
            GeneratorTraining(self._job, self._spec, self._fence, self._link).train()
        self._step = max(self._step, self._spec.training_steps)
        export = augmentations.artifact(self._job.id, EXPORT_FILE)
        assert export is not None
        return AugmentedGenerator(family=spec.family, export_sha256=export.sha256, step=export.step or 0)

    def _loaded(self, generator: AugmentedGenerator) -> "LoadedModel":
        """Load the generator as the engine does."""
        import torch

        from models.export import load_export
        from serving.loaded import LoadedModel

        numerics = agree_numerics(self._job, self._fence)
        attempts.sweep_files(self._job.id, self._fence)
        if self._spec.weights is not None:
            path = inputs.verified_weights(self._job.id, self._spec.weights, self._beat)
        else:
            path = Store(get_settings().artifacts).path(generator.export_sha256)
        return LoadedModel(load_export(path), torch.device(numerics.device), numerics.threads)

    def _real(self) -> "Data":
        """Return the real training pictures."""
        from worker.augmentation import splits

        data = inputs.load_data(self._spec.recipe.data, "train", self._beat)
        return data if self._spec.held_out == "test" else splits.training_part(data)

    def _filtered(self, loaded: "LoadedModel", real: "Data") -> "list[Selection]":
        """Return the result of the filter for each class; filter the classes whose result is not recorded."""
        from worker.augmentation.selection import Filter, Selection
        from worker.evaluation.judge import trained_judge

        spec, recorded = self._spec, augmentations.parts(self._job.id)
        filter_: Filter | None = None
        selections = []
        for label in range(spec.recipe.classes):
            name, end = f"class-{label:05d}.json", spec.training_steps + spec.per_class * (label + 1)
            if name not in recorded:
                filter_ = filter_ or Filter(
                    real, trained_judge(real, get_settings().judges, heartbeat=self._beat), self._beat
                )
                selection = filter_.select(label, spec.per_class, partial(self._draw, loaded, label))
                sentence = f"{self._class_names[label]}: kept {len(selection.kept)} of {selection.generated} pictures."
                augmentations.record_part(self._job.id, self._fence, end, name, selection.to_json(), sentence)
                recorded[name] = selection.to_json()
            selections.append(Selection.from_json(recorded[name]))
            self._step = max(self._step, end)
        return selections

    @property
    def _class_names(self) -> tuple[str, ...]:
        return catalog.class_names(self._spec.recipe, catalog.all_datasets())

    def _draw(self, loaded: "LoadedModel", label: int, numbers: range) -> "Tensor":
        """Generate pictures of a class, uint8 [n, c, s, s]: those of /sample with this seed and these numbers."""
        import torch

        from serving.loaded import PICTURES_PER_TURN, Item

        parts = []
        with torch.inference_mode():
            for start in range(0, len(numbers), PICTURES_PER_TURN):
                turn = numbers[start : start + PICTURES_PER_TURN]
                items = [Item(label, number, self._spec.seed, 1.0) for number in turn]
                parts.append(torch.from_numpy(loaded.sample(items)).permute(0, 3, 1, 2))
                self._beat()
        return torch.cat(parts).contiguous()

    def _kept_pictures(self, loaded: "LoadedModel", selections: "list[Selection]") -> "tuple[Tensor, Tensor]":
        """Generate the kept pictures again, class after class; return them, uint8 [n, c, s, s], and their labels."""
        import torch

        dtype = torch.uint8 if self._spec.recipe.bits == 8 else torch.uint16
        parts = [torch.empty(0, *self._spec.recipe.shape, dtype=dtype)]
        for label, selection in enumerate(selections):
            if selection.kept:
                drawn = self._draw(loaded, label, range(selection.kept[-1] + 1))
                parts.append(drawn[list(selection.kept)])
        counts = torch.tensor([len(selection.kept) for selection in selections])
        return torch.cat(parts), torch.arange(len(selections)).repeat_interleave(counts)

    def _write_zip(self, generated: "tuple[Tensor, Tensor]", selections: "list[Selection]") -> None:
        """Write the kept pictures and their labels as one ZIP, unless it is recorded."""
        images, labels = generated
        name = augmentations.PICTURES_FILE
        if not len(images) or augmentations.artifact(self._job.id, name) is not None:
            return
        numbers = [number for selection in selections for number in selection.kept]

        def examples() -> Iterator[ShardExample]:
            for image, label, number in zip(images, labels.tolist(), numbers, strict=True):
                yield ShardExample(image.permute(1, 2, 0).numpy(), label, number)
                self._beat()

        folder = get_settings().checkpoints(self._job.id)
        with attempt_files.scratch(folder, "shard", self._fence) as scratch:
            path = scratch / name
            ShardWriter("zip", "images", self._class_names).write(path, examples(), 0, len(images))
            shards.record(self._job.id, self._fence, self._step, path, name, MEDIA_TYPES["zip"])

    def _held_out(self) -> "tuple[Tensor, Tensor]":
        """Return held-out real pictures, uint8 [n, c, s, s], and their labels."""
        from worker.augmentation import splits
        from worker.evaluation.chunked import evenly_spaced

        if self._spec.held_out == "test":
            data = inputs.load_data(self._spec.recipe.data, "test", self._beat)
        else:
            data = splits.held_out_part(inputs.load_data(self._spec.recipe.data, "train", self._beat))
        assert data.images is not None
        assert data.labels is not None
        return evenly_spaced(data.images, MAX_HELD_OUT), evenly_spaced(data.labels, MAX_HELD_OUT)

    def _classifier_results(
        self, real: "Data", generated: "tuple[Tensor, Tensor]", held_out: "tuple[Tensor, Tensor]"
    ) -> dict[str, Any]:
        """Return by arm whether its classifiers are right, [seeds, pictures]; train those that are not recorded."""
        import numpy as np

        from models.rng import stream_seed
        from worker.augmentation.arms import Pool, batches, correct_after_training

        assert real.images is not None
        assert real.labels is not None
        spec, recorded = self._spec, augmentations.parts(self._job.id)
        pools = {"real": Pool(real.images, real.labels)}
        if len(generated[0]):
            pools["generated"] = Pool(*generated)
        arms = [arm for arm in ARMS if "generated" in pools or arm in ("real", "classical")]
        correct: dict[str, list[Any]] = {arm: [] for arm in arms}
        start = spec.training_steps + spec.per_class * spec.recipe.classes
        for number in range(spec.seeds * len(arms)):
            seed, arm = number // len(arms), arms[number % len(arms)]
            name, end = f"classifier-{arm}-{seed}.json", start + (number + 1) * spec.classifier_steps
            if name not in recorded:
                self._step = end - spec.classifier_steps
                classifier_seed = stream_seed(spec.seed, "augmentation", seed)
                right = correct_after_training(
                    batches(pools, arm, classifier_seed),
                    spec.classifier_steps,
                    classifier_seed,
                    held_out,
                    spec.recipe.classes,
                    self._counted(end),
                ).numpy()
                recorded[name] = {"pictures": len(right), "correct": np.packbits(right).tobytes().hex()}
                sentence = f"Classifier {seed + 1} of {spec.seeds}, {arm}: accuracy {right.mean():.3f}."
                augmentations.record_part(self._job.id, self._fence, end, name, recorded[name], sentence)
            packed = np.frombuffer(bytes.fromhex(recorded[name]["correct"]), np.uint8)
            correct[arm].append(np.unpackbits(packed, count=recorded[name]["pictures"]).astype(bool))
            self._step = end
        return {arm: np.stack(rows) for arm, rows in correct.items()}

    def _counted(self, end: int) -> Callable[[], None]:
        """Return a heartbeat that counts each call as a step, up to `end`."""

        def beat() -> None:
            self._step = min(self._step + 1, end)
            self._beat()

        return beat

    def _finish(
        self,
        generator: AugmentedGenerator,
        real: "Data",
        selections: "list[Selection]",
        labels: "Tensor",
        correct: dict[str, Any],
    ) -> None:
        import torch

        from worker.augmentation import report
        from worker.evaluation.judge import BATCH_SIZE

        spec, data = self._spec, self._spec.recipe.data
        assert isinstance(data, Images)
        assert real.labels is not None
        training = torch.bincount(real.labels, minlength=spec.recipe.classes).tolist()
        described = report.build(
            correct,
            labels.numpy(),
            [report.ClassPictures(*one) for one in zip(self._class_names, training, selections, strict=True)],
            generator,
            dataset=data.dataset,
            side=data.side,
            channels=data.channels,
            per_class=spec.per_class,
            seed=spec.seed,
            seeds=spec.seeds,
            classifier_steps=spec.classifier_steps,
            batch_size=BATCH_SIZE,
        )
        content = described.model_dump_json(indent=2).encode()
        augmentations.finish(self._job.id, self._fence, spec.total, content)

    def _beat(self) -> None:
        """Send a heartbeat between two parts of the work. Raises StopRequested."""
        self._link.check_stop(self._step)
