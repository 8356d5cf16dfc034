"""The base class of errors that end a job."""

from typing import ClassVar


class JobFailure(Exception):
    """An error that ends a job. Its text is a sentence that says what to do; `code` is a word for programs."""

    code: ClassVar[str]
