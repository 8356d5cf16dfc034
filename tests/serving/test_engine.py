"""The engine on real exports: a seed gives the same result whatever else the engine computes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.export import NotAnExport, load_export
from serving.engine import Engine, _deal
from serving.loaded import LoadedModel
from serving.protocol import Overloaded, Pick
from tests.serving.conftest import WriteExport
from tests.support.wait import until

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


def pictures_drawn(engine: Engine) -> int:
    """Return the number of pictures that the engine has drawn since its start."""
    return sum(n * turns for n, turns in enumerate(engine.load()[1]))


def picks(n: int, label: int | None = None, start: int = 0) -> list[Pick]:
    return [(label, index) for index in range(start, start + n)]


@pytest.mark.sampled(quick=3)
@pytest.mark.parametrize(("family", "dataset"), SYNTHESIS)
def test_picture_is_identical_in_every_batch(engine: Engine, export: WriteExport, family: str, dataset: str) -> None:
    path = export(family, dataset)
    label = 7 if family == "cdcgan" else None
    whole = engine.sample(path, picks(75, label), seed=3).result()
    assert len(np.unique(whole.reshape(75, -1), axis=0)) == 75
    for size in (1, 2, 3, 5, 31, 33):
        for start in (0, 1, 40):
            part = engine.sample(path, picks(size, label, start), seed=3).result()
            assert (part == whole[start : start + size]).all()
    singles = [engine.sample(path, picks(1, label, index), seed=3) for index in range(75)]
    other_requests = [engine.sample(path, picks(9, label and 2), seed=seed) for seed in range(20)]
    assert all((single.result()[0] == whole[index]).all() for index, single in enumerate(singles))
    assert len({request.result().tobytes() for request in other_requests}) == 20


@pytest.mark.parametrize(("family", "dataset"), SYNTHESIS)
def test_model_takes_batches_of_at_least_eight(export: WriteExport, family: str, dataset: str) -> None:
    sizes = LoadedModel(load_export(export(family, dataset)), CPU, threads=1).sizes
    assert max(sizes) >= 8
    assert list(sizes) == sorted(sizes, reverse=True)


def test_pictures_and_points_have_their_shape(engine: Engine, export: WriteExport) -> None:
    pictures = engine.sample(export("cdcgan", "digits"), picks(4, 0), seed=0).result()
    assert pictures.shape == (4, 16, 16, 1)
    assert pictures.dtype == np.uint8
    assert pictures.std() > 10
    points = engine.sample(export("gan", "ring8"), picks(4), seed=0).result()
    assert points.shape == (4, 2)
    assert points.dtype == np.float32


def test_seed_class_and_temperature_change_the_picture(engine: Engine, export: WriteExport) -> None:
    path = export("cdcgan", "digits")
    requests = [
        engine.sample(path, picks(1, 7), seed=1),
        engine.sample(path, picks(1, 7), seed=2**63 - 1),
        engine.sample(path, picks(1, 8), seed=1),
        engine.sample(path, picks(1, 7), seed=1, temperature=0.5),
    ]
    assert len({request.result().tobytes() for request in requests}) == 4


def test_requests_of_two_temperatures_do_not_change_each_other(engine: Engine, export: WriteExport) -> None:
    path = export("dcgan", "digits")
    separate = [engine.sample(path, picks(5), seed=1, temperature=temperature).result() for temperature in (1, 0.5)]
    together = [engine.sample(path, picks(5), seed=1, temperature=temperature) for temperature in (1, 0.5) * 10]
    assert all((future.result() == separate[i % 2]).all() for i, future in enumerate(together))


def test_full_queue_refuses_requests_and_recovers(export: WriteExport) -> None:
    engine = Engine(device="cpu", threads=1, bound=100)
    path = export("cdcgan", "digits")
    large = engine.sample(path, picks(1000, 1), seed=1)  # larger than the bound, but nothing is queued
    with pytest.raises(Overloaded) as refused:
        engine.sample(path, picks(1, 1), seed=1)
    assert refused.value.retry_after > 0
    assert len(large.result()) == 1000
    assert len(engine.sample(path, picks(1, 1), seed=1).result()) == 1
    engine.close()


def test_a_small_request_does_not_wait_for_a_large_one(engine: Engine, export: WriteExport) -> None:
    path, other = export("cdcgan", "digits"), export("dcgan", "digits")
    large = engine.sample(path, picks(3000, 1), seed=1)
    for small in (path, other):
        engine.sample(small, picks(1, 1 if small == path else None), seed=2).result()
    assert not large.done()
    assert len(large.result()) == 3000


@pytest.mark.slow
def test_sampling_goes_on_between_the_tiles_of_a_translation(engine: Engine, export: WriteExport) -> None:
    night = export("cyclegan", "day2night", generator={"width": 8, "blocks": 1})
    image = np.zeros((1200, 1200, 3), np.uint8)
    long = engine.translate(night, image, "a2b")
    engine.sample(export("gan", "digits"), picks(1), seed=1).result()
    assert not long.done()
    assert long.result().shape == image.shape


@pytest.mark.slow
def test_a_translation_is_the_same_whatever_runs_between_its_tiles(export: WriteExport) -> None:
    """Samples of a small model use one thread, a translation uses all."""
    engine = Engine(device="cpu", threads=2)
    night, digits = (
        export("cyclegan", "day2night", seed=2, generator={"width": 8, "blocks": 1}),
        export("gan", "digits"),
    )
    image = np.random.default_rng(1).integers(0, 256, (1100, 1300, 3), np.uint8)
    undisturbed = engine.translate(night, image, "a2b").result()
    interleaved = engine.translate(night, image, "a2b")
    while not interleaved.done():
        engine.sample(digits, picks(1), seed=1).result()
    assert (interleaved.result() == undisturbed).all()
    engine.close()


def test_small_translations_in_a_batch_equal_single_ones(engine: Engine, export: WriteExport) -> None:
    night = export("cyclegan", "day2night", seed=3)
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, shape, np.uint8) for shape in [(64, 64, 3)] * 13 + [(50, 30, 3)] * 3]
    singles = [engine.translate(night, image, "a2b").result() for image in images]
    for _ in range(2):  # the first time, the engine tries whether a batch changes any bit
        blocking = engine.sample(export("cdcgan", "digits"), picks(300, 1), seed=1)
        requests = [engine.translate(night, image, "a2b") for image in images]
        back = engine.translate(night, images[0], "b2a").result()
        assert all((request.result() == single).all() for request, single in zip(requests, singles, strict=True))
        assert not (back == singles[0]).all()
        blocking.result()


@torch.inference_mode()
@pytest.mark.parametrize("shape", [(64, 64, 3), (30, 50, 3)])
def test_translations_are_batched_only_if_that_changes_no_bit(export: WriteExport, shape: tuple[int, ...]) -> None:
    loaded = LoadedModel(load_export(export("cyclegan", "day2night", seed=4)), CPU, threads=1)
    images = list(np.random.default_rng(1).integers(0, 256, (8, *shape), np.uint8))
    singles = np.array([picture for image in images for picture in loaded.translate(image, "a2b")], np.int16)
    for _ in range(2):
        assert np.array_equal(loaded.translate_together(images, "a2b"), singles)
    for exact in (False, True):
        loaded._batch_is_exact = dict.fromkeys(loaded._batch_is_exact, exact)
        batch = np.array(loaded.translate_together(images, "a2b"), np.int16)
        assert np.abs(batch - singles).max() <= 1


def test_least_recently_used_model_is_evicted_first(export: WriteExport) -> None:
    engine = Engine(device="cpu", threads=1, memory=1)
    paths = [export("gan", "digits", seed) for seed in (1, 2)]
    first = [engine.sample(path, picks(2), seed=1).result() for path in paths * 2]
    assert (first[0] == first[2]).all()
    assert not (first[0] == first[1]).all()
    assert list(engine._models) == [paths[1]]
    engine.close()


def test_cancelled_requests_never_reach_a_network(engine: Engine, export: WriteExport) -> None:
    path = export("cdcgan", "digits")
    night = export("cyclegan", "day2night", generator={"width": 8, "blocks": 1})
    with engine._change:  # the engine's thread waits until the end of this block
        cancelled = [engine.sample(path, picks(5, 1), seed=seed) for seed in range(3)]
        cancelled.append(engine.translate(night, np.zeros((64, 64, 3), np.uint8), "a2b"))
        remaining = engine.sample(path, picks(7, 1), seed=9)
        assert all(request.cancel() for request in cancelled)
    assert len(remaining.result()) == 7
    assert pictures_drawn(engine) == 7
    assert engine.load()[0] == 0
    assert night not in engine._models


def test_request_that_is_cancelled_half_way_is_dropped(engine: Engine, export: WriteExport) -> None:
    path = export("cdcgan", "digits")
    large = engine.sample(path, picks(3000, 1), seed=1)
    engine.sample(path, picks(1, 1), seed=2).result()
    assert large.cancel()
    engine.sample(path, picks(1, 1), seed=3).result()
    assert engine.load()[0] == 0
    assert pictures_drawn(engine) < 3000


def test_cancelled_translation_is_dropped_before_its_next_tile(engine: Engine, export: WriteExport) -> None:
    night, path = export("cyclegan", "day2night", generator={"width": 8, "blocks": 1}), export("gan", "digits")
    long = engine.translate(night, np.zeros((1200, 1200, 3), np.uint8), "a2b")
    engine.sample(path, picks(1), seed=1).result()
    assert long.cancel()
    engine.sample(path, picks(1), seed=1).result()
    assert engine.load()[0] == 0


def test_cancelled_request_frees_its_part_of_the_queue(export: WriteExport) -> None:
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


def test_size_of_a_model_counts_its_weights_and_buffers(export: WriteExport) -> None:
    model = LoadedModel(load_export(export("sngan", "digits")), CPU, threads=1)
    tensors = [*model.networks["generator"].state_dict().values()]
    assert any("running_mean" in name for name in model.networks["generator"].state_dict())
    assert model.bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def test_bad_export_fails_its_request_and_the_engine_goes_on(
    engine: Engine, export: WriteExport, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nothing")
    with pytest.raises(NotAnExport):
        engine.sample(bad, picks(1), seed=1).result()
    with pytest.raises(NotAnExport):
        engine.translate(bad, np.zeros((8, 8, 3), np.uint8), "a2b").result()
    assert len(engine.sample(export("gan", "digits"), picks(1), seed=1).result()) == 1


def test_closing_cancels_waiting_requests(export: WriteExport) -> None:
    engine = Engine(device="cpu", threads=1)
    waiting = [engine.sample(export("cdcgan", "digits"), picks(1000, 1), seed=seed) for seed in range(4)]
    engine.close()
    assert all(future.cancelled() for future in waiting)
    with pytest.raises(RuntimeError, match="closed"):
        engine.sample(export("cdcgan", "digits"), picks(1, 1), seed=1)


def test_slots_of_a_turn_are_dealt_evenly_to_requests() -> None:
    assert _deal([5], 32) == [5]
    assert _deal([1, 1000, 3], 32) == [1, 28, 3]
    assert _deal([100, 100, 100], 32) == [11, 11, 10]
    assert sum(_deal([1] * 40, 32)) == 32
