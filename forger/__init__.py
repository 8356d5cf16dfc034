"""Export the client of a Forger service: `from forger import Forger`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forger.client import Forger
    from forger.events import (
        CheckpointSaved,
        Event,
        Metrics,
        OtherEvent,
        ProbeTaken,
        Rewound,
        SampleDrawn,
        ShardWritten,
        StateChanged,
    )
    from forger.experiment import Experiment
    from forger.job import Job, Jobs
    from forger.picture import Picture
    from forger.png_text import picture_recipe
    from forger.problems import ForgerProblem, Unreachable

__all__ = [
    "CheckpointSaved",
    "Event",
    "Experiment",
    "Forger",
    "ForgerProblem",
    "Job",
    "Jobs",
    "Metrics",
    "OtherEvent",
    "Picture",
    "ProbeTaken",
    "Rewound",
    "SampleDrawn",
    "ShardWritten",
    "StateChanged",
    "Unreachable",
    "picture_recipe",
]


# Names are imported on first use: help and completion load neither pydantic nor httpx2.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'forger' has no attribute {name!r}")
    from forger import client, events, experiment, job, picture, png_text, problems

    modules = (client, events, experiment, job, picture, png_text, problems)
    return next(getattr(module, name) for module in modules if hasattr(module, name))


def __dir__() -> list[str]:
    return __all__
