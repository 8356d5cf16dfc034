"""Define the client's exceptions. The text of each is a sentence for the person."""

from forger.schemas.base import Problem, Refused


class ForgerProblem(Exception):
    """The service refused. `code` is a word for programs; `errors` name the refused parts."""

    def __init__(self, problem: Problem) -> None:
        several = problem.errors if len(problem.errors) > 1 else ()
        super().__init__("\n".join([problem.detail, *(f"{error.pointer}: {error.message}" for error in several)]))
        self.status = problem.status
        self.code = problem.code
        self.detail = problem.detail
        self.errors: tuple[Refused, ...] = tuple(problem.errors)
        self.request_id = problem.request_id


class Unreachable(Exception):
    """No Forger answers, or another program does; the text says what to do."""


class Broken(Unreachable):
    """The connection broke: the service may or may not have performed the request."""
