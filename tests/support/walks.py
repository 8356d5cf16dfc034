"""Do what docs/extending.md asks its reader to do: put every block where its sentence says.

Sentences name a file and a place: `In FILE, above LINE:`, `In a new file FILE:`, `At the end of FILE:`. In a file that
was named: `At the end of LIST:` and, where a line occurs several times, `In PLACE, above LINE:`. Words need no block:
`import NAME from MODULE` and `WORD after WORD in PLACE`.
"""

import re
from pathlib import Path

from app.core.settings import CHECKOUT

_CODE = r"(?:``\ ?(?:.+?)\ ?``|`[^`]+`)"
_PHRASES = re.compile(
    rf"""^(?P<indent>\ *)```(?:python|text)\n(?P<block>.*?)^\ *```$
    |[Ii]n\ a\ new\ file\ (?P<new>{_CODE})
    |[Ii]mport\ (?P<name>{_CODE})\ from\ (?P<module>{_CODE})
    |(?P<word>{_CODE})\ after\ (?P<before>{_CODE})\ in\ (?P<within>{_CODE})
    |[Aa]t\ the\ end\ of\ (?P<end>{_CODE})
    |above\ (?P<above>{_CODE})
    |[Ii]n\ (?P<anchor>{_CODE})""",
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)


def section(title: str) -> str:
    """Return the text under the heading that begins with this title."""
    page = (CHECKOUT / "docs" / "extending.md").read_text()
    (text,) = re.findall(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return str(text)


def commands(text: str) -> list[str]:
    """Return the lines of a section's shell blocks."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines()]


def walk(text: str, checkout: Path) -> None:
    """Change the checkout as a section says. Raises ValueError where a place that it names does not exist."""
    file, anchor, where = checkout, "", 0
    for phrase in _PHRASES.finditer(text):
        parts = {part: _plain(text) for part, text in phrase.groupdict().items() if text is not None}
        match parts:
            case {"block": _, "indent": indent}:
                _insert(file, where, re.sub(rf"^{indent}", "", phrase["block"], flags=re.MULTILINE))
            case {"new": name}:
                file, anchor, where = checkout / name, "", 0
                file.touch(exist_ok=False)
            case {"name": name, "module": module}:
                _insert(file, _line(file, "from models"), f"from {module} import {name}\n")
            case {"word": word, "before": before, "within": within}:
                end = _find(file, before, _line(file, within)) + len(before)
                _insert(file, end, word if word.startswith(",") else f" {word}")
            case {"end": name} if _is_file(name):
                file, anchor, where = checkout / name, "", len((checkout / name).read_text())
            case {"end": name}:
                where = _find(file, "\n]", _line(file, name)) + 1
            case {"above": line}:
                where = _line(file, line, _line(file, anchor) if anchor else 0)
            case {"anchor": name} if _is_file(name):
                file, anchor = checkout / name, ""
            case {"anchor": name}:
                anchor = name


def _plain(code: str) -> str:
    """Return the code between backticks; between double ones it may contain a backtick, after a space."""
    return re.sub(r"^`` ?(.*?) ?``$|^`(.*)`$", r"\1\2", code)


def _is_file(name: str) -> bool:
    return re.search(r"/.*\.(py|md)$", name) is not None


def _find(file: Path, text: str, start: int = 0) -> int:
    return file.read_text().index(text, start)


def _line(file: Path, begins: str, start: int = 0) -> int:
    """Return the position of the first line from `start` on that begins so, after its indent and a `def` or `class`."""
    pattern = re.compile(rf"^ *(?:def |class )?{re.escape(begins)}", re.MULTILINE)
    found = pattern.search(file.read_text(), start)
    if found is None:
        raise ValueError(f"{file.name} has no line that begins with {begins}")
    return found.start()


def _insert(file: Path, where: int, text: str) -> None:
    whole = file.read_text()
    file.write_text(whole[:where] + text + whole[where:])
