"""The engine on real exports: what a seed gives never depends on who else asks."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch

from models.export import NotAnExport, load_export
from models.spec.resolve import resolve
from serving.engine import Engine, _deal
from serving.loaded import LoadedModel
from serving.protocol import Overloaded, Pick
from tests.support.exports import write_vivid
from tests.support.wait import until

MakeExport = Callable[..., Path]
CPU = torch.device("cpu")
SYNTHESIS = [
    ("gan", "digits"),
    ("gan", "ring8"),
    ("gan", "gaussian1d"),
    ("gumbel_gan", "dyck"),
    ("dcgan", "digits"),
    ("cdcgan", "digits"),
    ("cdcgan", "fashion_mnist"),
    ("wgan_gp", "mnist"),
]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> MakeExport:
    folder = tmp_path_factory.mktemp("exports")

    def make(family: str, dataset: str, seed: int = 1, **overrides: Any) -> Path:
        _, recipe = resolve(family, dataset=dataset, seed=seed, overrides=overrides or None)
        path = folder / f"{family}-{dataset}-{seed}.safetensors"
        write_vivid(path, recipe)
        return path

    return make


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(device="cpu", threads=1)
    yield engine
    engine.close()


def made(engine: Engine) -> int:
    """Pictures, since its start."""
    return sum(n * turns for n, turns in enumerate(engine.load()[1]))


def picks(n: int, label: int | None = None, start: int = 0) -> list[Pick]:
    return [(label, index) for index in range(start, start + n)]


@pytest.mark.sampled(quick=3)
@pytest.mark.parametrize(("family", "dataset"), SYNTHESIS)
def test_a_picture_is_the_same_in_every_company(engine: Engine, export: MakeExport, family: str, dataset: str) -> None:
    path = export(family, dataset)
    label = 7 if family == "cdcgan" else None
    whole = engine.sample(path, picks(75, label), seed=3).result()
    assert len(np.unique(whole.reshape(75, -1), axis=0)) == 75
    for size in (1, 2, 3, 5, 31, 33):
        for start in (0, 1, 40):
            part = engine.sample(path, picks(size, label, start), seed=3).result()
            assert (part == whole[start : start + size]).all()
    crowd = [engine.sample(path, picks(1, label, index), seed=3) for index in range(75)]
    strangers = [engine.sample(path, picks(9, label and 2), seed=seed) for seed in range(20)]
    assert all((one.result()[0] == whole[index]).all() for index, one in enumerate(crowd))
    assert len({stranger.result().tobytes() for stranger in strangers}) == 20


@pytest.mark.parametrize(("family", "dataset"), SYNTHESIS)
def test_there_is_something_to_gain_from_company(export: MakeExport, family: str, dataset: str) -> None:
    sizes = LoadedModel(load_export(export(family, dataset)), CPU, threads=1).sizes
    assert max(sizes) >= 8
    assert list(sizes) == sorted(sizes, reverse=True)


def test_pictures_and_points_have_their_shape(engine: Engine, export: MakeExport) -> None:
    pictures = engine.sample(export("cdcgan", "digits"), picks(4, 0), seed=0).result()
    assert pictures.shape == (4, 16, 16, 1)
    assert pictures.dtype == np.uint8
    assert pictures.std() > 10
    points = engine.sample(export("gan", "ring8"), picks(4), seed=0).result()
    assert points.shape == (4, 2)
    assert points.dtype == np.float32


def test_seed_class_and_temperature_matter(engine: Engine, export: MakeExport) -> None:
    path = export("cdcgan", "digits")
    asked = [
        engine.sample(path, picks(1, 7), seed=1),
        engine.sample(path, picks(1, 7), seed=2**63 - 1),
        engine.sample(path, picks(1, 8), seed=1),
        engine.sample(path, picks(1, 7), seed=1, temperature=0.5),
    ]
    assert len({future.result().tobytes() for future in asked}) == 4


def test_two_temperatures_run_together_unharmed(engine: Engine, export: MakeExport) -> None:
    path = export("dcgan", "digits")
    alone = [engine.sample(path, picks(5), seed=1, temperature=by).result() for by in (1, 0.5)]
    together = [engine.sample(path, picks(5), seed=1, temperature=by) for by in (1, 0.5) * 10]
    assert all((future.result() == alone[i % 2]).all() for i, future in enumerate(together))


def test_a_full_queue_sheds_and_recovers(export: MakeExport) -> None:
    engine = Engine(device="cpu", threads=1, bound=100)
    path = export("cdcgan", "digits")
    long = engine.sample(path, picks(1000, 1), seed=1)  # larger than the bound, but nothing waits
    with pytest.raises(Overloaded) as full:
        engine.sample(path, picks(1, 1), seed=1)
    assert full.value.retry_after > 0
    assert len(long.result()) == 1000
    assert len(engine.sample(path, picks(1, 1), seed=1).result()) == 1
    engine.close()


def test_a_small_request_does_not_wait_for_a_large_one(engine: Engine, export: MakeExport) -> None:
    path, other = export("cdcgan", "digits"), export("dcgan", "digits")
    large = engine.sample(path, picks(3000, 1), seed=1)
    for small in (path, other):
        engine.sample(small, picks(1, 1 if small == path else None), seed=2).result()
    assert not large.done()
    assert len(large.result()) == 3000


@pytest.mark.slow
def test_sampling_goes_on_between_the_tiles_of_a_translation(engine: Engine, export: MakeExport) -> None:
    night = export("cyclegan", "day2night", generator={"width": 8, "blocks": 1})
    image = np.zeros((1200, 1200, 3), np.uint8)
    long = engine.translate(night, image, "a2b")
    engine.sample(export("gan", "digits"), picks(1), seed=1).result()
    assert not long.done()
    assert long.result().shape == image.shape


@pytest.mark.slow
def test_a_translation_is_the_same_whatever_runs_between_its_tiles(export: MakeExport) -> None:
    """Samples of a small model take one thread, a translation all."""
    engine = Engine(device="cpu", threads=2)
    night, digits = (
        export("cyclegan", "day2night", seed=2, generator={"width": 8, "blocks": 1}),
        export("gan", "digits"),
    )
    image = np.random.default_rng(1).integers(0, 256, (1100, 1300, 3), np.uint8)
    alone = engine.translate(night, image, "a2b").result()
    crowded = engine.translate(night, image, "a2b")
    while not crowded.done():
        engine.sample(digits, picks(1), seed=1).result()
    assert (crowded.result() == alone).all()
    engine.close()


def test_small_translations_of_a_shape_run_together_unharmed(engine: Engine, export: MakeExport) -> None:
    night = export("cyclegan", "day2night", seed=3)
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, shape, np.uint8) for shape in [(64, 64, 3)] * 13 + [(50, 30, 3)] * 3]
    alone = [engine.translate(night, image, "a2b").result() for image in images]
    for _ in range(2):  # the first time a batch is tried out
        long = engine.sample(export("cdcgan", "digits"), picks(300, 1), seed=1)
        crowd = [engine.translate(night, image, "a2b") for image in images]
        back = engine.translate(night, images[0], "b2a").result()
        assert all((future.result() == made).all() for future, made in zip(crowd, alone, strict=True))
        assert not (back == alone[0]).all()
        long.result()


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(64, 64, 3), (30, 50, 3)])
def test_a_batch_is_used_only_where_it_changes_no_bit(export: MakeExport, shape: tuple[int, ...]) -> None:
    loaded = LoadedModel(load_export(export("cyclegan", "day2night", seed=4)), CPU, threads=1)
    images = list(np.random.default_rng(1).integers(0, 256, (8, *shape), np.uint8))
    alone = np.array([made for image in images for made in loaded.translate(image, "a2b")], np.int16)
    for _ in range(2):
        assert np.array_equal(loaded.translate_together(images, "a2b"), alone)
    for alike in (False, True):
        loaded._batch_is_exact = dict.fromkeys(loaded._batch_is_exact, alike)
        together = np.array(loaded.translate_together(images, "a2b"), np.int16)
        assert np.abs(together - alone).max() <= 1


def test_the_least_recently_used_model_goes_first(export: MakeExport) -> None:
    engine = Engine(device="cpu", threads=1, memory=1)
    paths = [export("gan", "digits", seed) for seed in (1, 2)]
    first = [engine.sample(path, picks(2), seed=1).result() for path in paths * 2]
    assert (first[0] == first[2]).all()
    assert not (first[0] == first[1]).all()
    assert list(engine._models) == [paths[1]]
    engine.close()


def test_what_is_withdrawn_never_reaches_a_network(engine: Engine, export: MakeExport) -> None:
    path = export("cdcgan", "digits")
    night = export("cyclegan", "day2night", generator={"width": 8, "blocks": 1})
    with engine._change:  # the engine's thread sees nothing of this until the end of the block
        left = [engine.sample(path, picks(5, 1), seed=seed) for seed in range(3)]
        left.append(engine.translate(night, np.zeros((64, 64, 3), np.uint8), "a2b"))
        kept = engine.sample(path, picks(7, 1), seed=9)
        assert all(future.cancel() for future in left)
    assert len(kept.result()) == 7
    assert made(engine) == 7
    assert engine.load()[0] == 0
    assert night not in engine._models


def test_what_is_withdrawn_half_way_is_dropped(engine: Engine, export: MakeExport) -> None:
    path = export("cdcgan", "digits")
    large = engine.sample(path, picks(3000, 1), seed=1)
    engine.sample(path, picks(1, 1), seed=2).result()
    assert large.cancel()
    engine.sample(path, picks(1, 1), seed=3).result()
    assert engine.load()[0] == 0
    assert made(engine) < 3000


def test_a_translation_is_dropped_before_its_next_tile(engine: Engine, export: MakeExport) -> None:
    night, path = export("cyclegan", "day2night", generator={"width": 8, "blocks": 1}), export("gan", "digits")
    long = engine.translate(night, np.zeros((1200, 1200, 3), np.uint8), "a2b")
    engine.sample(path, picks(1), seed=1).result()
    assert long.cancel()
    engine.sample(path, picks(1), seed=1).result()
    assert engine.load()[0] == 0


def test_a_place_that_was_given_back_is_free(export: MakeExport) -> None:
    engine = Engine(device="cpu", threads=1, bound=100)
    path = export("cdcgan", "digits")
    with engine._change:
        large = engine.sample(path, picks(3000, 1), seed=1)
        with pytest.raises(Overloaded):
            engine.check()
        assert large.cancel()
    until(lambda: engine.load()[0] == 0)
    engine.check()
    engine.close()


def test_all_that_is_held_counts(export: MakeExport) -> None:
    model = LoadedModel(load_export(export("sngan", "digits")), CPU, threads=1)
    held = [*model.networks["generator"].state_dict().values()]
    assert any("running_mean" in name for name in model.networks["generator"].state_dict())
    assert model.bytes == sum(tensor.numel() * tensor.element_size() for tensor in held)


def test_a_bad_export_is_told_and_the_engine_lives(engine: Engine, export: MakeExport, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nothing")
    with pytest.raises(NotAnExport):
        engine.sample(bad, picks(1), seed=1).result()
    with pytest.raises(NotAnExport):
        engine.translate(bad, np.zeros((8, 8, 3), np.uint8), "a2b").result()
    assert len(engine.sample(export("gan", "digits"), picks(1), seed=1).result()) == 1


def test_closing_cancels_what_waits(export: MakeExport) -> None:
    engine = Engine(device="cpu", threads=1)
    waiting = [engine.sample(export("cdcgan", "digits"), picks(1000, 1), seed=seed) for seed in range(4)]
    engine.close()
    assert all(future.cancelled() for future in waiting)
    with pytest.raises(RuntimeError, match="closed"):
        engine.sample(export("cdcgan", "digits"), picks(1, 1), seed=1)


def test_places_are_dealt_evenly() -> None:
    assert _deal([5], 32) == [5]
    assert _deal([1, 1000, 3], 32) == [1, 28, 3]
    assert _deal([100, 100, 100], 32) == [11, 11, 10]
    assert sum(_deal([1] * 40, 32)) == 32
