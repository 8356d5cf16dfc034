"""Serve /lectures: the six runs of the lecture, each with the request that trains it."""

from fastapi import APIRouter
from fastapi.responses import FileResponse

from app.api.openapi.refusals import refusal_responses
from app.core.settings import link
from app.services import lectures
from forger.schemas.lectures import LectureList, LectureOut

router = APIRouter(prefix="/lectures", tags=["catalogue"])


@router.get("")
def list_lectures() -> LectureList:
    """List the six runs in the order of the course. Each has the request that trains it, and the losses of our run."""
    return LectureList(data=[_out(lecture) for lecture in lectures.lectures()])


@router.get(
    "/{name}/picture",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}, **refusal_responses(404)},
)
def get_lecture_picture(name: str) -> FileResponse:
    """Fetch the picture that our run drew at its end."""
    return FileResponse(lectures.find(name).picture, media_type="image/png", headers={"Cache-Control": "no-cache"})


def _out(lecture: lectures.Lecture) -> LectureOut:
    words = lecture.words
    return LectureOut(
        name=lecture.name,
        title=words.title,
        look_for=words.look_for,
        went_wrong=words.went_wrong,
        request=dict(lecture.request),
        losses=lecture.losses,
        course=words.course,
        steps=lecture.steps,
        seconds=lecture.seconds,
        picture=link(f"/lectures/{lecture.name}/picture"),
    )
