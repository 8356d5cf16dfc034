"""Pages of docs/ are all in the site's navigation, and their links and anchors resolve."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.settings import CHECKOUT

DOCS = CHECKOUT / "docs"
OUTSIDE = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = sorted(DOCS.rglob("*.md"))
_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")


def prose(page: Path) -> str:
    """Return the text without blocks of code and words of code."""
    return re.sub(r"`[^`\n]+`", "", _BLOCK.sub("", page.read_text()))


def links(page: Path) -> Iterator[str]:
    """Yield the targets inside the checkout, as written."""
    for match in _LINK.finditer(prose(page)):
        target = match[1] or match[2]
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as code hosts name them."""
    titles = re.findall(r"^#{1,6} (.+)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).strip().lower() for title in titles]
    slugs = [re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in plain]
    assert [slug for slug, times in Counter(slugs).items() if times > 1] == [], f"{page.name} repeats a heading"
    return set(slugs)


def pages_in(entries: list[Any]) -> Iterator[str]:
    """Yield the pages of a part of the navigation, in order."""
    for entry in entries:
        target = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from pages_in(target) if isinstance(target, list) else [target]


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_every_page_is_in_the_navigation_once() -> None:
    navigation = yaml.safe_load((CHECKOUT / "mkdocs.yml").read_text())["nav"]
    names = [str(page.relative_to(DOCS)) for page in PAGES]
    assert sorted(pages_in(navigation)) == sorted(names), "give every page its line in mkdocs.yml"


@pytest.mark.parametrize("page", [*OUTSIDE, *PAGES], ids=lambda page: page.name)
def test_links_and_anchors_resolve(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}, and {file.name} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_link_to_no_file_outside_docs(page: Path) -> None:
    outside = [target for target in links(page) if not (page.parent / target).resolve().is_relative_to(DOCS)]
    assert outside == [], "name files outside docs/ by their path: the site does not hold them"


@pytest.mark.long
def test_site_builds_in_strict_mode(tmp_path: Path) -> None:
    environment, site = tmp_path / "venv", tmp_path / "site"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    lock = CHECKOUT / "requirements" / "docs.lock"
    installed = run(environment / "bin" / "pip", "install", "--quiet", "--require-hashes", "-r", lock)
    assert "HASHES" not in installed.stderr, installed.stderr
    if installed.returncode:
        pytest.skip(f"requirements/docs.lock cannot be installed here: {installed.stderr[-300:]}")
    built = run(environment / "bin" / "mkdocs", "build", "--strict", "--site-dir", site)
    assert built.returncode == 0, built.stderr
    assert "POST /jobs" in (site / "api.html").read_text()
