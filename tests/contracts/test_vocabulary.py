"""Words that may not come back: vague identifiers, and docstrings that do not begin with a verb or the thing."""

import ast
import re
from collections.abc import Iterator

import pytest

from app.core.settings import CHECKOUT
from tests.support.packages import PACKAGES

IDENTIFIERS = re.compile(
    r"(asked|told|making|wish|said|heed|settle|lifeline|slopes?|cast|in_turn|no_less|told_apart|subject)"
)
"""whole identifiers: functions, classes, arguments and variables"""
IDENTIFIERS_OF_TESTS = re.compile(rf"{IDENTIFIERS.pattern}|(made|seen|own|laid|given|places?)")
TEST_FOLDERS = ("tests",)
"""folders of tests whose identifiers are checked"""
OPENINGS = re.compile(r"(Of|What|Who|Whoever|Whom|Whose|Whatever|So) ")
FILES = [path for package in PACKAGES for path in sorted((CHECKOUT / package).rglob("*.py"))]


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""


def _matching_names(folder: str, pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(CHECKOUT)}:{line}: {name}"
        for path in sorted((CHECKOUT / folder).rglob("*.py"))
        for line, name in _names(ast.parse(path.read_text()))
        if pattern.fullmatch(name.strip("_").lower())
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_identifier_is_a_word_that_says_nothing(package: str) -> None:
    found = _matching_names(package, IDENTIFIERS)
    assert not found, "Name the thing itself:\n" + "\n".join(found)


@pytest.mark.parametrize("folder", TEST_FOLDERS)
def test_no_identifier_of_a_test_is_a_word_that_says_nothing(folder: str) -> None:
    assert list((CHECKOUT / folder).rglob("test_*.py"))
    found = _matching_names(folder, IDENTIFIERS_OF_TESTS)
    assert not found, "Name the thing itself:\n" + "\n".join(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_begin_with_a_verb_or_the_thing(package: str) -> None:
    found = [
        f"{path.relative_to(CHECKOUT)}:{line}: {text.partition(chr(10))[0]}"
        for path in FILES
        if path.is_relative_to(CHECKOUT / package)
        for line, text in _docstrings(ast.parse(path.read_text()))
        if OPENINGS.match(text)
    ]
    assert not found, "Begin with a verb, or with the thing:\n" + "\n".join(found)


def test_vocabulary_patterns_find_forbidden_words() -> None:

    tree = ast.parse('def told(asked: int) -> None:\n    """Of a job."""\n    self.cast = slope = 1')
    assert [name for _, name in _names(tree) if IDENTIFIERS.fullmatch(name)] == ["told", "asked", "cast", "slope"]
    test = ast.parse("def test_b(made: int) -> None:\n    subject, picture = made, [place for place in ()]")
    names = [name for _, name in _names(test) if IDENTIFIERS_OF_TESTS.fullmatch(name)]
    assert sorted(names) == ["made", "place", "subject"]
    assert [text for _, text in _docstrings(tree) if OPENINGS.match(text)] == ["Of a job."]
