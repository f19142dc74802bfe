"""Documents are as the code is, and their links lead somewhere."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgate.errors import StreamgateError
from streamgate.testing.docs import GENERATED
from streamgate.testing.docs.built import built
from streamgate.testing.docs.grpc import PROTOS, read_proto

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


def test_every_error_of_ours_is_in_the_reference() -> None:
    """It is read from the text of the code: what the code has when it runs must be there too."""
    built()  # imports what serves HTTP
    ours = [
        kind.code
        for kind in every_kind(StreamgateError)
        if kind.__module__.startswith("streamgate") and "code" in vars(kind)
    ]
    page = GENERATED["docs/reference/errors.md"]()
    assert len(ours) > 60
    assert [code for code in ours if f"| `{code}` |" not in page] == []


def every_kind(base: type[StreamgateError]) -> Iterator[type[StreamgateError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from every_kind(kind)


@pytest.mark.parametrize("path", sorted(ROOT.glob(PROTOS)), ids=lambda path: path.stem)
def test_what_is_read_of_a_proto_file_is_what_it_compiles_to(path: Path) -> None:
    package = path.parent.parent.name
    compiled = importlib.import_module(f"{package}.proto.{path.stem}_pb2").DESCRIPTOR
    read = read_proto(path)
    [service] = compiled.services_by_name.values()
    assert (read.service, [call.name for call in read.calls]) == (service.name, [m.name for m in service.methods])
    assert {message.name: [name for _, name, _ in message.fields] for message in read.messages} == {
        name: [field.name for field in message.fields] for name, message in compiled.message_types_by_name.items()
    }


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
