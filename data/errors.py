"""Errors of unusable uploads, as sentences for the person who sent them. The API gives each its HTTP status."""


class Refused(Exception):
    """The error of bytes that cannot be used. `code` is for programs; `pointer` names the part of the request."""

    def __init__(self, detail: str, code: str, pointer: str = "/file") -> None:
        super().__init__(detail)
        self.detail, self.code, self.pointer = detail, code, pointer


class WrongMedia(Refused):
    """The error of bytes of a type that cannot be read."""

    def __init__(self, detail: str, code: str = "unsupported_media", pointer: str = "/file") -> None:
        super().__init__(detail, code, pointer)
