"""The generator under test: its generated examples, the real ones, and the networks that compare them.

Live figures and the full evaluation both use it; they differ in their `Sizes`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from data.batches import as_levels, scaled
from data.readers.base import Heartbeat, no_heartbeat
from data.readers.builtin import Data, DatasetMissing, Split
from models.errors import JobFailure
from models.features import FeatureExtractor
from models.games.paired import PairedExamples
from models.latent import cycling_labels, draw_latent
from models.nets.autoencoder import Autoencoder
from models.rng import Rng, Stream
from models.spec.recipe import Recipe
from worker.evaluation.chunked import GENERATED_PIXELS, chunk_size, chunks, downscaled, evenly_spaced, run_in_chunks
from worker.evaluation.inception import read_inception
from worker.evaluation.judge import BATCH_SIZE, FULL_STEPS, QUICK_STEPS, trained_judge
from worker.evaluation.metrics.neighbours import typical_spacing
from worker.evaluation.probe import Probe, measure_probe
from worker.evaluation.stacked_mnist_judge import trained_stacked_judge

MAX_JUDGE_EPOCHS = 30
"""most epochs over the dataset for which a judge is trained"""

Features = Literal["own", "inception"]


class CannotMeasure(JobFailure):
    """The error of a generator, or of requested figures, that cannot be measured. The message says why."""

    code = "cannot_measure"


class NotFinite(CannotMeasure):
    """The error of a generator whose output is not finite."""

    def __init__(self) -> None:
        super().__init__("The generator's output is not finite, so nothing can be measured.")


class FeatureNetwork(Protocol):
    """A network whose features compare pictures: a Judge, a StackedMnistJudge or Inception."""

    mark: str
    """first digits of the sha256 of its weights"""
    resize: str
    """how it resizes pictures, for the provenance"""
    classes: int
    """number of classes of its logits; 0 without classes"""

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features [n, d] and logits [n, classes] of pictures [n, c, s, s] in [-1, 1]."""


@dataclass(frozen=True)
class Sizes:
    """The numbers of examples that an evaluation generates and compares, and how long its judge is trained."""

    generated: int
    """number of generated examples; for two domains, in each direction"""
    real: int | None = None
    """most real examples that are compared; None: as many as are generated; 0: none"""
    suspects: int = 1_000
    """most generated pictures that are searched for copies of training pictures"""
    originals: int | None = None
    """most training pictures among which the originals of copies are searched; None: all"""
    minimum: int = 16
    """least number of generated, and of real examples to compare them as distributions"""
    quick: bool = False
    """whether the judge is trained for QUICK_STEPS, however large the dataset is"""


class Examples:
    """At most n evenly spaced examples of some data [N, ...], with their labels; each network embeds them once."""

    def __init__(
        self, test: "GeneratorUnderTest", data: Tensor, labels: Tensor | None = None, n: int | None = None
    ) -> None:
        """`data` holds pictures as uint8 [N, c, s, s], points, or strings."""
        self._test, self._data = test, data
        self._n = len(data) if n is None else min(n, len(data))
        self.labels = None if labels is None else evenly_spaced(labels, self._n)

    def __len__(self) -> int:
        return self._n

    @cached_property
    def rows(self) -> Tensor:
        """The examples [n, ...]: uint8 pictures, points or one-hot strings."""
        return evenly_spaced(self._data, self._n)

    @cached_property
    def by_judge(self) -> tuple[Tensor, Tensor | None]:
        """Features [n, d] and logits [n, classes] of the judge."""
        return self._test.embed(self._test.judge, self._parts())

    @cached_property
    def by_network(self) -> tuple[Tensor, Tensor | None]:
        """Features [n, d] and logits [n, classes] of the feature network that the evaluation uses."""
        test = self._test
        return self.by_judge if test.network is test.judge else test.embed(test.network, self._parts())

    @property
    def features(self) -> Tensor:
        """Features [n, d] of the feature network that the evaluation uses."""
        return self.by_network[0]

    @property
    def logits(self) -> Tensor:
        """Logits [n, classes] of the judge."""
        return not_none(self.by_judge[1])

    @cached_property
    def classes(self) -> Tensor:
        """The classes [n] that the judge predicts."""
        return self.logits.argmax(dim=1)

    @cached_property
    def pixels(self) -> Tensor:
        """The pictures downscaled to 16 px a side, as rows [n, d]."""
        return downscaled(self._data, self._n, self._test.heartbeat)

    def _parts(self) -> Iterator[Tensor]:
        return chunks(self._data, self._n)


@dataclass(frozen=True, eq=False)
class GeneratorUnderTest:
    """A generator in eval mode, with the data and networks that measure it.

    Data and networks are loaded when they are first needed, and real examples are embedded once. Each call of `sample`,
    `reconstruct` or `translate` runs the generator, always on the same noise or pictures.
    """

    recipe: Recipe
    generator: nn.Module
    load: Callable[[Split], Data]
    """loads a split; raises DatasetMissing if it does not exist"""
    sizes: Sizes
    judges: Path | None
    """the folder of stored judges; None: they are not stored"""
    features: Features = "own"
    seed: int = 0
    weights: Path | None = None
    """the folder that may hold Inception"""
    heartbeat: Heartbeat = no_heartbeat
    """called after each part of the work; an exception that it raises ends the evaluation"""
    extractor: FeatureExtractor | None = None
    """the network whose features are probed; None: none is"""

    @cached_property
    def train(self) -> Data:
        return self._loaded("train")

    @cached_property
    def reference(self) -> Data:
        """The test split, or the training split of a dataset without one."""
        return self._reference[0]

    @property
    def split(self) -> Split:
        return self._reference[1]

    @cached_property
    def _reference(self) -> tuple[Data, Split]:
        try:
            return self._loaded("test"), "test"
        except DatasetMissing:
            return self.train, "train"

    def _loaded(self, split: Split) -> Data:
        """Load a split, cropped to the centre where the training uses random crops."""
        return self.load(split).centre_crop(self.recipe.shape[-1])

    @cached_property
    def judge(self) -> FeatureNetwork:
        return self.train_judge(self.train, self.judges)

    @cached_property
    def network(self) -> FeatureNetwork:
        """The feature network that compares pictures."""
        return self.judge if self.features == "own" else read_inception(self.weights)

    @cached_property
    def probe(self) -> Probe:
        """The linear probe of the extractor. Raises CannotProbe."""
        assert self.extractor is not None
        return measure_probe(self.extractor, self.train, self._reference, self.seed, self.heartbeat)

    @property
    def mark(self) -> str:
        """The name and sha256 of Inception if it compares the pictures, and of the judge, which predicts classes."""
        judge = f"own:{self.judge.mark}"
        return judge if self.network is self.judge else f"inception:{self.network.mark} {judge}"

    def train_judge(self, data: Data, judges: Path | None) -> FeatureNetwork:
        """Return the judge of these pictures on the generator's device, from the folder `judges` or newly trained."""
        images = not_none(data.a if data.images is None else data.images)
        max_steps = MAX_JUDGE_EPOCHS * len(images) // BATCH_SIZE
        steps = QUICK_STEPS if self.sizes.quick else min(FULL_STEPS, max(QUICK_STEPS, max_steps))
        stacked = self.recipe.data.dataset == "stacked_mnist" and images.shape[1] == 3 and data.labels is not None
        return (trained_stacked_judge if stacked else trained_judge)(data, judges, steps, self.heartbeat).to(
            self.device
        )

    def train_student(self, generated: Examples) -> FeatureNetwork:
        """Train a judge on generated pictures alone, with the classes for which they were generated."""
        with TemporaryDirectory() as folder:
            return self.train_judge(Data(images=generated.rows, labels=generated.labels), Path(folder))

    def embed(self, network: FeatureNetwork, parts: Iterable[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return features [n, d] and logits [n, classes] of pictures that come in chunks."""
        embedded = []
        for part in parts:
            self.heartbeat()
            embedded.append(network.embed(scaled(part)))
        features, logits = zip(*embedded, strict=True)
        return torch.cat(features), None if logits[0] is None else torch.cat(logits)

    def stream(self, name: str) -> Stream:
        return Rng(self.seed).stream(f"evaluate/{name}")

    @cached_property
    def real(self) -> Examples:
        """The pictures of the reference split that are compared."""
        return Examples(
            self, not_none(self.reference.images), self.reference.labels, self.sizes.real or self.sizes.generated
        )

    @cached_property
    def real_domains(self) -> tuple[Examples, Examples]:
        """The pictures of both domains of the reference split that are compared."""
        a, b = (Examples(self, domain, n=self.sizes.real or self.n_translated) for domain in domains(self.reference))
        return a, b

    @property
    def n_translated(self) -> int:
        """Number of pictures that are translated in each direction."""
        return min(self.sizes.generated, *map(len, domains(self.reference)))

    @cached_property
    def originals(self) -> Tensor:
        """Training pictures of which generated ones may be copies, downscaled to 16 px a side, as rows [n, d]."""
        return downscaled(not_none(self.train.images), self.sizes.originals, self.heartbeat)

    @cached_property
    def originals_spacing(self) -> float:
        """The median distance of these training pictures to their nearest neighbour."""
        return typical_spacing(self.originals)

    def sample(self, temperature: float = 1.0, truncation: float | None = None) -> Examples:
        """Sample examples from noise; the classes cycle. Raises NotFinite."""
        n = self.sizes.generated
        z = temperature * draw_latent(self.recipe.latent, self.stream("noise"), n, truncation)
        labels = cycling_labels(self.recipe.classes, n)

        def generate(rows: slice) -> Tensor:
            label = None if labels is None else labels[rows].to(self.device)
            generated: Tensor = self.generator(z[rows].to(self.device), label)
            return generated

        return Examples(self, self.generate_rows(generate, n), labels)

    def reconstruct(self, real: Tensor) -> Examples:
        """Reconstruct examples [n, ...]; a Gaussian code is replaced by its mean. Raises NotFinite."""
        generator, size = self.generator, self.recipe.latent.size
        assert isinstance(generator, Autoencoder)
        decode = lambda rows: generator(generator.encode(self.to_device(real[rows]))[:, :size])  # noqa: E731
        return Examples(self, self.generate_rows(decode, len(real)))

    def translate(self, direction: str, pictures: Tensor) -> Examples:
        """Translate pictures [n, c, s, s]; `direction` is `a2b` or `b2a`. Raises NotFinite."""
        assert isinstance(self.generator, nn.ModuleDict)
        net = self.generator[direction]
        return Examples(self, self.generate_rows(lambda rows: net(self.to_device(pictures[rows])), len(pictures)))

    def translate_pairs(self, examples: PairedExamples) -> Tensor:
        """Return the outputs uint8 [n, c, h, w] of the paired game's generator for these inputs. Raises NotFinite."""
        return self.generate_rows(
            lambda rows: self._pairs_to_device(examples.part(rows)).output_of(self.generator), len(examples.target)
        )

    def _pairs_to_device(self, examples: PairedExamples) -> PairedExamples:
        hole = None if examples.hole is None else examples.hole.to(self.device)
        return PairedExamples(examples.input.to(self.device), examples.target.to(self.device), hole)

    def to_device(self, x: Tensor) -> Tensor:
        """Scale bytes to [-1, 1] and move them to the generator's device."""
        return scaled(x).to(self.device)

    @torch.no_grad()
    def generate_rows(self, generate: Callable[[slice], Tensor], n: int) -> Tensor:
        """Call `generate` for n rows in chunks; return pictures as levels, as they are served. Raises NotFinite."""
        parts = []
        for part in run_in_chunks(generate, n, chunk_size((n, *self.recipe.shape), GENERATED_PIXELS), self.heartbeat):
            if not part.isfinite().all():
                raise NotFinite
            parts.append(as_levels(part, self.recipe.bits) if part.dim() == 4 else part)
        return torch.cat(parts)

    @cached_property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device


def domains(data: Data) -> tuple[Tensor, Tensor]:
    """Return the pictures of both domains, uint8 [n, c, s, s]."""
    return not_none(data.a), not_none(data.b)


def not_none(value: Tensor | None) -> Tensor:
    """Assert that a value that this kind of dataset or comparison always has is not None, and return it."""
    assert value is not None
    return value
