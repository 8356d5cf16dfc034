"""The generator under test: its examples, the real ones, and the networks that compare them.

Live figures and the full evaluation both use it: they differ in their `Sizes` alone.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from data.batches import as_bytes, scaled
from data.readers.base import Beat, no_heartbeat
from data.readers.builtin import Data, DatasetMissing, Split
from models.errors import JobFailure
from models.games.paired import PairedExamples
from models.latent import cycling_labels, draw_latent
from models.nets.autoencoder import Autoencoder
from models.rng import Rng, Stream
from models.spec.recipe import Recipe
from worker.evaluation.chunked import GENERATED_PIXELS, chunk_size, chunks, downscaled, evenly_spaced, run_in_chunks
from worker.evaluation.inception import read_inception
from worker.evaluation.judge import BATCH_SIZE, FULL_STEPS, QUICK_STEPS, trained_judge
from worker.evaluation.metrics.neighbours import typical_spacing
from worker.evaluation.stacked_mnist_judge import trained_stacked_judge

MAX_JUDGE_EPOCHS = 30
"""epochs over the dataset that a judge is trained for at most"""

Features = Literal["own", "inception"]


class CannotMeasure(JobFailure):
    """This generator, or the requested figures, cannot be measured. The message says why."""

    code = "cannot_measure"


class NotFinite(CannotMeasure):
    """The generator's output is not finite."""

    def __init__(self) -> None:
        super().__init__("The generator's output is not finite, so nothing can be measured.")


class FeatureNetwork(Protocol):
    """A network whose features compare pictures; see worker.evaluation.judge.Judge."""

    mark: str
    """beginning of the sha256 of its weights"""
    resize: str
    """how it resizes pictures, for the provenance"""
    classes: int
    """number of classes of its logits, 0 without"""

    def embed(self, x: Tensor) -> tuple[Tensor, Tensor | None]: ...


@dataclass(frozen=True)
class Sizes:
    """The numbers of examples that an evaluation generates and compares, and how long its judge is trained."""

    fake: int
    """generated examples; for two domains, in each direction"""
    real: int | None = None
    """real examples that are compared, at most; None: as many as are generated; 0: none"""
    suspects: int = 1_000
    """fakes that are searched for copies, at most"""
    originals: int | None = None
    """training pictures that they may be copies of, at most; None: all"""
    minimum: int = 16
    """examples that each side needs to be compared as a distribution"""
    quick: bool = False
    """whether the judge is trained for QUICK_STEPS whatever the size of the dataset"""


class Examples:
    """Up to n evenly spaced examples of some data [N, ...], with their labels. Each network embeds them once."""

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
        """The examples [n, ...] in the form of the data."""
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
        """The pictures at 16 px a side, as rows [n, d]."""
        return downscaled(self._data, self._n, self._test.beat)

    def _parts(self) -> Iterator[Tensor]:
        return chunks(self._data, self._n)


@dataclass(frozen=True, eq=False)
class GeneratorUnderTest:
    """A generator in eval mode, with the data and networks that measure it, which are loaded when first needed.

    Real examples are embedded once. Fakes are generated at each call, always from the same noise.
    """

    recipe: Recipe
    generator: nn.Module
    load: Callable[[Split], Data]
    """loads a split; raises DatasetMissing if it does not exist"""
    sizes: Sizes
    judges: Path | None
    """the folder that keeps judges"""
    features: Features = "own"
    seed: int = 0
    weights: Path | None = None
    """the folder that may hold Inception"""
    beat: Beat = no_heartbeat
    """called after each part of the work; an exception that it raises ends the evaluation"""

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

    @property
    def mark(self) -> str:
        """The mark of the judge, which always predicts the classes, and of Inception if that compares the pictures."""
        judge = f"own:{self.judge.mark}"
        return judge if self.network is self.judge else f"inception:{self.network.mark} {judge}"

    def train_judge(self, data: Data, judges: Path | None) -> FeatureNetwork:
        """Return a judge that was trained on these pictures, on the generator's device; `judges` keeps it."""
        images = not_none(data.a if data.images is None else data.images)
        max_steps = MAX_JUDGE_EPOCHS * len(images) // BATCH_SIZE
        steps = QUICK_STEPS if self.sizes.quick else min(FULL_STEPS, max(QUICK_STEPS, max_steps))
        stacked = self.recipe.data.dataset == "stacked_mnist" and images.shape[1] == 3 and data.labels is not None
        return (trained_stacked_judge if stacked else trained_judge)(data, judges, steps, self.beat).to(self.device)

    def train_student(self, fake: Examples) -> FeatureNetwork:
        """Return a judge that was trained on fakes alone, with the classes that they were generated for."""
        with TemporaryDirectory() as folder:
            return self.train_judge(Data(images=fake.rows, labels=fake.labels), Path(folder))

    def embed(self, network: FeatureNetwork, parts: Iterable[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Return features [n, d] and logits [n, classes] of pictures that come in chunks."""
        embedded = []
        for part in parts:
            self.beat()
            embedded.append(network.embed(scaled(part)))
        features, logits = zip(*embedded, strict=True)
        return torch.cat(features), None if logits[0] is None else torch.cat(logits)

    def stream(self, name: str) -> Stream:
        return Rng(self.seed).stream(f"evaluate/{name}")

    @cached_property
    def real(self) -> Examples:
        """Pictures of the reference split."""
        return Examples(
            self, not_none(self.reference.images), self.reference.labels, self.sizes.real or self.sizes.fake
        )

    @cached_property
    def real_domains(self) -> tuple[Examples, Examples]:
        """Pictures of both domains of the reference split."""
        a, b = (Examples(self, domain, n=self.sizes.real or self.translated) for domain in domains(self.reference))
        return a, b

    @property
    def translated(self) -> int:
        """Number of pictures that are translated in each direction."""
        return min(self.sizes.fake, *map(len, domains(self.reference)))

    @cached_property
    def originals(self) -> Tensor:
        """Training pictures that fakes may be copies of, at 16 px a side, as rows [n, d]."""
        return downscaled(not_none(self.train.images), self.sizes.originals, self.beat)

    @cached_property
    def originals_spacing(self) -> float:
        """The median distance of an original to its nearest neighbour."""
        return typical_spacing(self.originals)

    def drawn(self) -> Examples:
        """Generate examples from noise; the classes cycle. Raises NotFinite."""
        n = self.sizes.fake
        z = draw_latent(self.recipe.latent, self.stream("noise"), n)
        labels = cycling_labels(self.recipe.classes, n)

        def make(rows: slice) -> Tensor:
            label = None if labels is None else labels[rows].to(self.device)
            fake: Tensor = self.generator(z[rows].to(self.device), label)
            return fake

        return Examples(self, self.generate_rows(make, n), labels)

    def rebuilt(self, real: Tensor) -> Examples:
        """Reconstruct examples [n, ...]; a Gaussian code is replaced by its mean. Raises NotFinite."""
        generator, size = self.generator, self.recipe.latent.size
        assert isinstance(generator, Autoencoder)
        make = lambda rows: generator(generator.encode(self.to_device(real[rows]))[:, :size])  # noqa: E731
        return Examples(self, self.generate_rows(make, len(real)))

    def translate(self, direction: str, pictures: Tensor) -> Examples:
        """Translate pictures [n, c, s, s]; `direction` is `a2b` or `b2a`. Raises NotFinite."""
        assert isinstance(self.generator, nn.ModuleDict)
        net = self.generator[direction]
        return Examples(self, self.generate_rows(lambda rows: net(self.to_device(pictures[rows])), len(pictures)))

    def answer(self, examples: PairedExamples) -> Tensor:
        """Return the outputs of the paired game's generator, uint8 [n, c, h, w]. Raises NotFinite."""
        return self.generate_rows(
            lambda rows: self._moved(examples.part(rows)).output_of(self.generator), len(examples.target)
        )

    def _moved(self, examples: PairedExamples) -> PairedExamples:
        hole = None if examples.hole is None else examples.hole.to(self.device)
        return PairedExamples(examples.input.to(self.device), examples.target.to(self.device), hole)

    def to_device(self, x: Tensor) -> Tensor:
        """Scale bytes to [-1, 1] and move them to the generator's device."""
        return scaled(x).to(self.device)

    @torch.no_grad()
    def generate_rows(self, make: Callable[[slice], Tensor], n: int) -> Tensor:
        """Run `make` on n rows in chunks; return pictures as uint8, as they are served. Raises NotFinite."""
        parts = []
        for part in run_in_chunks(make, n, chunk_size((n, *self.recipe.shape), GENERATED_PIXELS), self.beat):
            if not part.isfinite().all():
                raise NotFinite
            parts.append(as_bytes(part) if part.dim() == 4 else part)
        return torch.cat(parts)

    @cached_property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device


def domains(data: Data) -> tuple[Tensor, Tensor]:
    """Return the pictures of both domains, uint8 [n, c, s, s]."""
    return not_none(data.a), not_none(data.b)


def not_none(value: Tensor | None) -> Tensor:
    """Return a value that this kind of dataset or comparison always has."""
    assert value is not None
    return value
