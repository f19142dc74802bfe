"""Documents are as the code is, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamgate.testing.docs import GENERATED

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_documents_are_fresh(name: str) -> None:
    path = ROOT / name
    assert path.is_file(), f"{name} is missing: run 'make fmt'"
    assert path.read_text(encoding="utf-8") == GENERATED[name](), f"{name} is old: run 'make fmt'"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def headings(page: Path) -> set[str]:
    """What a link may name behind `#`, as those who show Markdown make it of headings."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s#]*\.md|)#([^)]+)\)", page.read_text(encoding="utf-8"))
    inside = [(page.parent / name if name else page, heading) for name, heading in links if "://" not in name]
    assert [heading for target, heading in inside if heading not in headings(target)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = re.findall(r"`make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"))
    assert set(named) - targets == set()


def test_each_decision_is_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")
    assert [name for name in pages if f"]({name})" not in index] == []
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name) for name in pages)
    numbers = [name[:4] for name in pages]
    assert len(numbers) == len(set(numbers))
