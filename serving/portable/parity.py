"""Measure how far an exported program's outputs are from those of the network that Forger serves."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from models.spec.portable import PARITY_INPUTS
from serving.portable.programs import TracedProgram, run_in_chunks


@dataclass(frozen=True)
class Parity:
    """Absolute differences over all numbers of the outputs for the fixed inputs; None if an output is not finite."""

    max_abs: float | None
    mean_abs: float | None

    def json(self) -> dict[str, float | int | None]:
        return {"inputs": PARITY_INPUTS, "max_abs": self.max_abs, "mean_abs": self.mean_abs}


def measure(program: TracedProgram, exported: Callable[..., Tensor]) -> Parity:
    """Compare an exported program with the served network on the program's fixed inputs."""
    largest, total, count = 0.0, 0.0, 0
    for inputs in program.batches:
        pairs = zip(run_in_chunks(program.served, inputs), run_in_chunks(exported, inputs), strict=True)
        for expected, output in pairs:
            difference = (output.double() - expected.double()).abs()
            if not difference.isfinite().all():
                return Parity(None, None)
            largest = max(largest, float(difference.max()))
            total, count = total + float(difference.sum()), count + difference.numel()
    return Parity(largest, total / count)


def worst(parities: list[Parity]) -> Parity:
    """Return the largest difference of several programs, and the largest of their means."""
    largest = [parity.max_abs for parity in parities]
    means = [parity.mean_abs for parity in parities]
    if None in largest or None in means:
        return Parity(None, None)
    return Parity(max(value or 0.0 for value in largest), max(value or 0.0 for value in means))
