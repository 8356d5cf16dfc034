"""BatchNorm and dropout over a batch that is spread over the ranks of a job."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import batchnorm
from torch.nn.modules.dropout import _DropoutNd

from models import distributed


def spread(network: nn.Module) -> None:
    """From now on the layers inside that mix a batch, or draw for it, do so over all ranks.

    Raises TypeError for one that is not known here.
    """
    for layer in network.modules() if distributed.count() > 1 else ():
        if type(layer) in _SPREAD:
            layer.__class__ = _SPREAD[type(layer)]
        elif isinstance(layer, batchnorm._BatchNorm | _DropoutNd):
            raise TypeError(
                f"{type(layer).__name__} is not known to models.nets.layers.sync_layers: write it there first."
            )


class _BatchNorm(batchnorm._BatchNorm):
    """torch's own for several ranks is for CUDA only, and has no second slope."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float()
        over = [dim for dim in range(x.dim()) if dim != 1]
        variance, middle = torch.var_mean(values, over, correction=0)
        of_each = distributed.whole(torch.stack([variance, middle])[None])
        middle = of_each[:, 1].mean(0)
        variance = of_each[:, 0].mean(0) + of_each[:, 1].var(0, correction=0)
        self._follow(middle, variance, distributed.count() * x.numel() // x.shape[1])
        shape = [1, -1] + [1] * (x.dim() - 2)
        normed = (values - middle.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            normed = torch.addcmul(self.bias.view(shape), normed, self.weight.view(shape))
        return normed.to(x.dtype)

    @torch.no_grad()
    def _follow(self, middle: Tensor, variance: Tensor, n: int) -> None:
        """The running statistics, of a variance as if over one example less."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(middle, self.momentum)
        self.running_var.lerp_(variance * (n / max(n - 1, 1)), self.momentum)


class _BatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    pass


class _BatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    pass


class _Dropout(nn.Dropout):
    """The mask is drawn for the whole batch, in the order of memory in which one process would have it."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        inside = x.is_contiguous(memory_format=torch.channels_last) if x.dim() == 4 else False
        layout = torch.channels_last if inside and not x.is_contiguous() else torch.contiguous_format
        ones = torch.ones(distributed.count() * len(x), *x.shape[1:], dtype=x.dtype, device=x.device)
        return x * distributed.part(F.dropout(ones.contiguous(memory_format=layout), self.p))


_SPREAD: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _BatchNorm1d,
    nn.BatchNorm2d: _BatchNorm2d,
    nn.Dropout: _Dropout,
}
