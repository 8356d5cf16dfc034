"""The judge: it reads its dataset, depends on the data alone, and is cached by content."""

from pathlib import Path

import pytest
import torch

from data.readers.builtin import Data, load
from models.spec.resolve import resolve
from worker.evaluation.chunked import chunks
from worker.evaluation.judge import MAX_EXAMPLES, QUICK_STEPS, trained_judge

DIGITS = resolve("cdcgan", dataset="digits")[1].data


@pytest.fixture(scope="module")
def digits() -> Data:
    return load(DIGITS, None)


@pytest.mark.slow
def test_judge_reads_unseen_digits(digits: Data) -> None:
    assert digits.images is not None
    assert digits.labels is not None
    judge = trained_judge(Data(images=digits.images[:1_200], labels=digits.labels[:1_200]), None, QUICK_STEPS)
    predicted = judge.embed(digits.images[1_200:].float() / 127.5 - 1)[1].argmax(1)
    assert (predicted == digits.labels[1_200:]).float().mean() > 0.93
    assert judge.embed(digits.images[:7].float() / 127.5 - 1)[0].shape == (7, 128)


def test_judge_depends_on_the_data_and_not_on_threads_or_the_global_seed(digits: Data, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    marks = set()
    for number in (1, 2):
        torch.manual_seed(number)
        torch.set_num_threads(number)
        before = torch.get_rng_state()
        marks.add(trained_judge(digits, tmp_path / str(number), 3).mark)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == number
    torch.set_num_threads(threads)
    assert len(marks) == 1


def test_judge_is_cached_by_content_and_trained_again_if_damaged(digits: Data, tmp_path: Path) -> None:
    assert digits.images is not None
    chunk_count, beats = len(list(chunks(digits.images, MAX_EXAMPLES))), list[int]()
    first = trained_judge(digits, tmp_path, 3, lambda: beats.append(1))
    assert len(beats) == chunk_count + 3
    assert trained_judge(digits, tmp_path, 3, lambda: beats.append(1)).mark == first.mark
    assert len(beats) == 2 * chunk_count + 3, "the cached judge does not train"
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    assert trained_judge(digits, tmp_path, 3, lambda: beats.append(1)).mark == first.mark
    assert len(beats) == 3 * chunk_count + 6
    other_data = Data(images=digits.images.flip(0), labels=digits.labels)
    assert trained_judge(other_data, tmp_path, 3).mark != first.mark


def test_judge_of_unlabelled_pictures_learns_their_rotations(digits: Data) -> None:
    assert digits.images is not None
    a, b = digits.images[:40], digits.images[40:100]
    for data in (Data(images=digits.images), Data(a=a, b=b)):
        judge = trained_judge(data, None, 2)
        assert judge.classes == 0
        assert judge.embed(torch.zeros(3, 1, 16, 16))[1].shape == (3, 4)


def test_judge_scales_large_pictures_down() -> None:
    pictures = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    judge = trained_judge(Data(images=pictures), None, 1)
    x = pictures.float() / 127.5 - 1
    small = torch.nn.functional.avg_pool2d(x, 2)
    assert torch.allclose(judge.embed(x)[0], judge.embed(small)[0], atol=1e-5)
