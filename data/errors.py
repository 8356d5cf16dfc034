"""Refusals of what was uploaded, as sentences for the person who sent it. The API gives each its HTTP status."""


class Refused(Exception):
    """The bytes cannot be used. `code` is a word for programs; `pointer` names the part of the request."""

    def __init__(self, detail: str, code: str, pointer: str = "/file") -> None:
        super().__init__(detail)
        self.detail, self.code, self.pointer = detail, code, pointer


class WrongMedia(Refused):
    """The bytes are of another type than those that can be read."""

    def __init__(self, detail: str, code: str = "unsupported_media", pointer: str = "/file") -> None:
        super().__init__(detail, code, pointer)
