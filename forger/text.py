"""Say values in short text, for the command line and for notebooks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forger.schemas.base import Health
    from forger.schemas.jobs import JobOut

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 48
"""characters of a curve, and of a bar in a terminal"""
NOT_FINITE = "!"
"""character of a curve for a value that was not finite"""


def job_title(reply: "JobOut") -> str:
    """Return a job's family and dataset."""
    return f"{reply.family or 'custom'} on {reply.dataset}"


def progress_text(step: int, total: int | None) -> str:
    """Return a job's progress; the total is None until a budget in minutes has been measured."""
    return str(step) if total is None else f"{step} of {total}"


def time_left(eta_s: float | None) -> str:
    """Return the remaining seconds as `, 3 min 20 s left`; empty if they are unknown."""
    if eta_s is None:
        return ""
    minutes, seconds = divmod(round(eta_s), 60)
    return f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"


def health_word(health: "Health | None") -> str | None:
    """Return the kind of trouble, or the state if there is none."""
    return None if health is None else health.kind or health.state


def setting_text(value: Any) -> str:
    """Return a part of a recipe as short text: an object with a kind as kind(its other settings)."""
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}"
        case list():
            return ", ".join(map(setting_text, value)) or "none"
        case {"kind": str(kind), **rest}:
            return kind + (f"({_settings(rest)})" if rest else "")
        case dict():
            return f"({_settings(value)})"
        case _:
            return str(value)


def _settings(parts: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name}={setting_text(part)}" for name, part in parts.items())


def by_player(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return each player's sum of losses, which it minimises, and each figure; None if a part was not finite.

    Gauges are left out: they measure different things, so a sum has no meaning.
    """
    sums: dict[str, float | None] = {}
    for name, value in sorted(values.items()):
        player, _, part = name.partition("/")
        if player == "gauge":
            continue
        if player == "figure":
            sums[part] = value
            continue
        before = sums.get(player, 0.0)
        sums[player] = None if before is None or value is None else before + value
    return sums


def counted(count: int, what: str) -> str:
    """Return a number with the word for it, as `1 latent` and `2 latents`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def alternatives(names: Iterable[object]) -> str:
    """Return names as `a, b or c`."""
    *others, last = map(str, names)
    return f"{', '.join(others)} or {last}" if others else last


def rounded(value: float | None, digits: int = 3) -> str:
    """Return a value with `digits` significant digits; None was not finite."""
    return "not finite" if value is None else f"{value:.{digits}g}"


def sparkline(values: Sequence[float | None], width: int = WIDTH) -> str:
    """Return a whole curve in one line; each character shows the mean of its share of the values."""
    means = list(values)
    if len(values) > width:
        means = [_mean(values[i * len(values) // width : (i + 1) * len(values) // width]) for i in range(width)]
    finite = [mean for mean in means if mean is not None]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    steps = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(NOT_FINITE if mean is None else BLOCKS[round((mean - low) * steps)] for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None]
    return sum(finite) / len(finite) if len(finite) == len(values) else None
