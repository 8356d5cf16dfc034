"""The classifiers of an augmentation: equal steps and batches, balanced classes, repeatable results."""

from collections import Counter

import pytest
import torch

from forger.wire import ARMS
from worker.augmentation.arms import Pool, batches, changed, correct_after_training
from worker.evaluation.judge import BATCH_SIZE

STEPS, CLASSES = 12, 3


def pool(level: int, counts: tuple[int, ...] = (200, 20, 2)) -> Pool:
    """Pictures near one level of grey: class c is brighter in row c."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    pictures = torch.full((len(labels), 1, 8, 8), level, dtype=torch.uint8)
    pictures[torch.arange(len(labels)), 0, labels] += 100
    return Pool(pictures, labels)


POOLS = {"real": pool(10), "generated": pool(60)}


@pytest.mark.parametrize("arm", ARMS)
def test_batch_of_every_arm_has_one_size_and_every_class_equally_often(arm: str) -> None:
    batch = batches(POOLS, arm, seed=1)
    counts: Counter[int] = Counter()
    for step in range(30):
        pictures, labels = batch(step)
        assert (len(pictures), len(labels)) == (BATCH_SIZE, BATCH_SIZE)
        counts.update(labels.tolist())
    assert max(counts.values()) < 1.15 * min(counts.values()), "of 222 pictures only 2 are of the last class"
    again, _ = batches(POOLS, arm, seed=1)(5)
    assert torch.equal(again, batch(5)[0])


def test_arms_take_the_pictures_that_their_name_says() -> None:
    def generated_share(arm: str) -> float:
        pictures, _ = batches(POOLS, arm, seed=1)(0)
        return float((pictures.amin(dim=(1, 2, 3)) > -0.8).float().mean())

    assert [generated_share(arm) for arm in ARMS] == [0.0, 1.0, 0.5, 0.0]


def test_classical_augmentation_changes_pictures_and_mirrors_only_colour() -> None:
    half = torch.zeros(64, 1, 16, 16)
    half[..., :8] = 1
    for channels, mirrored in ((1, False), (3, True)):
        result = changed(half.expand(-1, channels, -1, -1), torch.Generator().manual_seed(1))
        assert not torch.equal(result[0], result[1])
        darker_left = result[..., :4].mean(dim=(1, 2, 3)) < result[..., -4:].mean(dim=(1, 2, 3))
        assert bool(darker_left.any()) == mirrored


def test_classifier_counts_its_steps_and_repeats_its_result() -> None:
    held_out = torch.full((9, 1, 8, 8), 10, dtype=torch.uint8), torch.arange(9) % CLASSES
    held_out[0][torch.arange(9), 0, held_out[1]] += 100
    beats: list[None] = []
    trained = [
        correct_after_training(batches(POOLS, "real", 1), STEPS, 1, held_out, CLASSES, lambda: beats.append(None))
        for _ in range(2)
    ]
    assert torch.equal(*trained)
    assert len(beats) == 2 * (STEPS + 1), "a heartbeat after each step and each chunk of held-out pictures"
