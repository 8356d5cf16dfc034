"""The default recipe learns digits: an independent classifier reads the requested classes."""

from pathlib import Path

import pytest
import torch
from sklearn.svm import SVC
from torch import Tensor

from data.readers.builtin import load
from models import checkpoint
from models.export import export_checkpoint, load_export
from models.latent import cycling_labels, draw_latent
from models.rng import Rng
from models.spec.resolve import resolve
from worker.training.listener import Finished, NullListener
from worker.training.loop import train
from worker.training.numerics import apply, local_numerics

SAMPLES = 1000


def spread_within_classes(pictures: Tensor, labels: Tensor) -> float:
    """Return the standard deviation, averaged over classes and pixels; one prototype per class would give 0."""
    by_class = [pictures[labels == label].flatten(1).std(0).mean() for label in sorted(set(labels.tolist()))]
    return torch.stack(by_class).mean().item()


@pytest.mark.slow
@pytest.mark.parametrize("budget", [{"steps": 300}, pytest.param(None, marks=pytest.mark.long)])
def test_cdcgan_on_digits_draws_the_requested_classes_with_variety(
    tmp_path: Path, budget: dict[str, int] | None
) -> None:
    """Both with a quarter of the default budget and with all of it."""
    recipe = resolve("cdcgan", dataset="digits", seed=1, budget=budget)[1]
    numerics = local_numerics("cpu", recipe, threads=1)
    apply(numerics)
    data = load(recipe.data, None)
    ended = train(recipe, data, NullListener(), folder=tmp_path, attempt=1, resume=None, numerics=numerics)
    assert isinstance(ended, Finished)
    assert ended.served is not None
    export_checkpoint(
        recipe, checkpoint.path_of_step(tmp_path, ended.served.best.step), tmp_path / "export.safetensors"
    )

    generator = load_export(tmp_path / "export.safetensors").networks["generator"]
    labels = cycling_labels(10, SAMPLES)
    with torch.no_grad():
        fakes = generator(draw_latent(recipe.latent, Rng(5).stream("test"), SAMPLES), labels)
    assert data.images is not None
    assert data.labels is not None
    assert labels is not None
    real = data.images.float() / 127.5 - 1
    classifier = SVC(C=10).fit(real.flatten(1).numpy(), data.labels.numpy())
    agreement = (classifier.predict(fakes.flatten(1).numpy()) == labels.numpy()).mean()
    spread = spread_within_classes(fakes, labels) / spread_within_classes(real, data.labels)
    print(f"agreement {agreement:.3f}, spread {spread:.3f}")
    assert agreement >= 0.95
    assert spread >= 0.6
