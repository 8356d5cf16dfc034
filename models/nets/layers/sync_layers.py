"""BatchNorm and dropout over a batch that is distributed over the ranks of a job."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import batchnorm
from torch.nn.modules.dropout import _DropoutNd

from models import distributed


def sync_across_ranks(network: nn.Module) -> None:
    """Make the network's BatchNorm and dropout layers work over the whole batch of all ranks.

    Raises TypeError for such a layer without a synchronised version here.
    """
    for layer in network.modules() if distributed.world_size() > 1 else ():
        if type(layer) in _SYNCED:
            layer.__class__ = _SYNCED[type(layer)]
        elif isinstance(layer, batchnorm._BatchNorm | _DropoutNd):
            raise TypeError(
                f"{type(layer).__name__} has no version for several ranks: add one to models.nets.layers.sync_layers."
            )


class _BatchNorm(batchnorm._BatchNorm):
    """BatchNorm over all ranks. torch's SyncBatchNorm is for CUDA only and not twice differentiable."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float()
        over = [dim for dim in range(x.dim()) if dim != 1]
        variance, mean = torch.var_mean(values, over, correction=0)
        statistics = distributed.all_gather(torch.stack([variance, mean])[None])
        mean = statistics[:, 1].mean(0)
        variance = statistics[:, 0].mean(0) + statistics[:, 1].var(0, correction=0)
        self._update_running(mean, variance, distributed.world_size() * x.numel() // x.shape[1])
        shape = [1, -1] + [1] * (x.dim() - 2)
        normed = (values - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            normed = torch.addcmul(self.bias.view(shape), normed, self.weight.view(shape))
        return normed.to(x.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Update the running statistics, with the unbiased variance of n values."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (n / max(n - 1, 1)), self.momentum)


class _BatchNorm1d(_BatchNorm, nn.BatchNorm1d):
    pass


class _BatchNorm2d(_BatchNorm, nn.BatchNorm2d):
    pass


class _Dropout(nn.Dropout):
    """Dropout over all ranks: the mask is drawn for the whole batch, in the memory order of a single process."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        channels_last = x.is_contiguous(memory_format=torch.channels_last) if x.dim() == 4 else False
        layout = torch.channels_last if channels_last and not x.is_contiguous() else torch.contiguous_format
        ones = torch.ones(distributed.world_size() * len(x), *x.shape[1:], dtype=x.dtype, device=x.device)
        return x * distributed.rank_part(F.dropout(ones.contiguous(memory_format=layout), self.p))


_SYNCED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _BatchNorm1d,
    nn.BatchNorm2d: _BatchNorm2d,
    nn.Dropout: _Dropout,
}
