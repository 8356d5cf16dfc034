"""Measure the tensors that autograd keeps."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


def count_saved_numbers(network: nn.Module, run: Callable[[], object]) -> float:
    """Count the numbers that autograd keeps for the backward pass of `run`, without the network's own tensors."""
    parameters = {tensor.data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            storages[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
    del result
    return sum(storage.nbytes() for storage in storages.values()) / 4
