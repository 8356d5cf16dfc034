"""Define the reply of /lectures."""

from pydantic import Field

from forger.schemas.base import Json, Out


class LossesOut(Out):
    """Mean losses over an epoch, as a course writes them."""

    step: int | None = Field(description="The last step of the epoch; null for the losses that the course publishes.")
    generator: float
    critic: float = Field(
        description="Half the sum over real and generated examples. The curves of a job hold the whole sum."
    )


class LectureOut(Out):
    name: str
    title: str
    look_for: str
    went_wrong: str | None = Field(description="Null for the runs that went well.")
    request: Json = Field(description="A body of POST /jobs that trains the run.")
    losses: list[LossesOut] = Field(description="Of our run, by epoch.")
    course: list[LossesOut] | None = Field(description="The course's first epoch and its last; null if not known.")
    steps: int = Field(description="Of our run.")
    seconds: float = Field(description="What our run took on one thread of a busy machine.")
    picture: str = Field(description="Address of the picture that our run drew at its end.")


class LectureList(Out):
    data: list[LectureOut]
