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
    from forger.following import Following
    from forger.job import Job, Jobs
    from forger.picture import Picture
    from forger.plot import Plot
    from forger.png_text import picture_recipe
    from forger.problems import ForgerProblem, Unreachable
    from forger.replies import Comparison, Dataset, Model, Version

__all__ = [
    "CheckpointSaved",
    "Comparison",
    "Dataset",
    "Event",
    "Experiment",
    "Following",
    "Forger",
    "ForgerProblem",
    "Job",
    "Jobs",
    "Metrics",
    "Model",
    "OtherEvent",
    "Picture",
    "Plot",
    "ProbeTaken",
    "Rewound",
    "SampleDrawn",
    "ShardWritten",
    "StateChanged",
    "Unreachable",
    "Version",
    "picture_recipe",
]


# Names are imported on first use: help and completion load neither pydantic nor httpx2.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'forger' has no attribute {name!r}")
    from forger import client, events, experiment, following, job, picture, plot, png_text, problems, replies

    modules = (client, events, experiment, following, job, picture, plot, png_text, problems, replies)
    return next(getattr(module, name) for module in modules if hasattr(module, name))


def __dir__() -> list[str]:
    return __all__
