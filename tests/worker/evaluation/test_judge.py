"""The judge: equal data give an equal judge, whatever runs beside it; it is kept, and knows its dataset."""

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
def test_it_reads_digits_that_it_has_not_seen(digits: Data) -> None:
    assert digits.images is not None
    assert digits.labels is not None
    judge = trained_judge(Data(images=digits.images[:1_200], labels=digits.labels[:1_200]), None, QUICK_STEPS)
    said = judge.embed(digits.images[1_200:].float() / 127.5 - 1)[1].argmax(1)
    assert (said == digits.labels[1_200:]).float().mean() > 0.93
    assert judge.embed(digits.images[:7].float() / 127.5 - 1)[0].shape == (7, 128)


def test_the_same_data_give_the_same_judge_with_any_threads_and_seed(digits: Data, tmp_path: Path) -> None:
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


def test_it_is_kept_by_content_and_a_damaged_one_learns_anew(digits: Data, tmp_path: Path) -> None:
    assert digits.images is not None
    read, beats = len(list(chunks(digits.images, MAX_EXAMPLES))), list[int]()
    first = trained_judge(digits, tmp_path, 3, lambda: beats.append(1))
    assert len(beats) == read + 3
    assert trained_judge(digits, tmp_path, 3, lambda: beats.append(1)).mark == first.mark
    assert len(beats) == 2 * read + 3, "it learns nothing"
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])
    assert trained_judge(digits, tmp_path, 3, lambda: beats.append(1)).mark == first.mark
    assert len(beats) == 3 * read + 6
    other = Data(images=digits.images.flip(0), labels=digits.labels)
    assert trained_judge(other, tmp_path, 3).mark != first.mark


def test_unlabelled_pictures_and_piles_are_learned_by_their_turns(digits: Data) -> None:
    assert digits.images is not None
    a, b = digits.images[:40], digits.images[40:100]
    for data in (Data(images=digits.images), Data(a=a, b=b)):
        judge = trained_judge(data, None, 2)
        assert judge.classes == 0
        assert judge.embed(torch.zeros(3, 1, 16, 16))[1].shape == (3, 4)


def test_large_pictures_are_looked_at_small() -> None:
    pictures = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    judge = trained_judge(Data(images=pictures), None, 1)
    x = pictures.float() / 127.5 - 1
    small = torch.nn.functional.avg_pool2d(x, 2)
    assert torch.allclose(judge.embed(x)[0], judge.embed(small)[0], atol=1e-5)
