"""The base class of errors that end a job."""

from typing import ClassVar


class JobFailure(Exception):
    """An error that ends a job. Its text says what to do; `code` is the error code for programs."""

    code: ClassVar[str]
