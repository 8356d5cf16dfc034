"""The numbers of torch's generator without torch: the drawn datasets are shown as training sees them."""

import numpy as np
import pytest
import torch

from data.torch_random import TorchRandom


@pytest.mark.parametrize("seed", [0, 1, 20_261_129, 2**32 - 1])
def test_the_numbers_are_those_of_torch_one_draw_after_the_other(seed: int) -> None:
    theirs, ours = torch.Generator().manual_seed(seed), TorchRandom(seed)
    for high in (2, 10, 60_000, 2**28 - 1):
        expected = torch.randint(high, (500, 3), generator=theirs)
        assert (ours.integers(high, (500, 3)) == expected.numpy()).all()
        assert (ours.doubles(777) == torch.rand(777, generator=theirs, dtype=torch.float64).numpy()).all()
        normal = torch.randn(1600, generator=theirs).numpy()
        assert np.allclose(ours.normals(1600), normal, rtol=0, atol=3e-6)
