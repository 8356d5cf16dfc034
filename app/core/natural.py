"""The order in which a person lists names: s2 before s10."""

import re

_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[object, ...]:
    """s2 before s10; capitals do not matter unless nothing else differs."""
    return (*((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name.casefold())), name)
