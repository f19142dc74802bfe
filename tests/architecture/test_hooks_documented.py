"""docs/reference/hooks.md says what the specs say: each hook once, with its exact arguments and an example."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamgate.hooks import KERNEL_SPECS
from streamgate.plugins import discover_specs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/hooks.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0].strip(): part for part in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]}
SPECS = [*KERNEL_SPECS, *discover_specs()]


def declaration(spec: Callable[..., Any]) -> str:
    """The spec's first line as it is written (annotations are kept as text)."""
    kind = "async def" if inspect.iscoroutinefunction(spec) else "def"
    return f"{kind} {spec.__name__}{inspect.signature(spec)}".replace("'", "")


def implemented(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(isinstance(each, ast.Name) and each.id == "hookimpl" for each in node.decorator_list)
    }


def test_the_page_has_each_hook_and_no_other() -> None:
    assert [spec.__name__ for spec in SPECS] == list(SECTIONS)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_a_hook_is_documented_with_its_arguments_and_an_example(spec: Callable[..., Any]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", SECTIONS[spec.__name__], flags=re.DOTALL)
    assert len(blocks) == 2
    assert blocks[0].strip() == declaration(spec)
    example = ast.parse(blocks[1]).body[0]
    assert isinstance(example, ast.AsyncFunctionDef if inspect.iscoroutinefunction(spec) else ast.FunctionDef)
    assert [argument.arg for argument in example.args.args] == ["self", *inspect.signature(spec).parameters]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_a_hook_says_what_it_is_for(spec: Callable[..., Any]) -> None:
    assert (spec.__doc__ or "").strip()
    assert spec.__name__.startswith("decide_") == inspect.iscoroutinefunction(spec)


def test_only_plugin_py_holds_hook_implementations() -> None:
    others = [path for path in ROOT.glob("plugins/*/streamgate_*/**/*.py") if path.name != "plugin.py"]
    assert [str(path.relative_to(ROOT)) for path in others if implemented(path)] == []


def test_each_hook_is_used_by_a_plugin_of_ours_or_by_the_outside_one() -> None:
    plugins = [*ROOT.glob("plugins/*/streamgate_*/plugin.py"), *ROOT.glob("tests/third_party_plugin/src/*/plugin.py")]
    used = set[str]().union(*map(implemented, plugins))
    assert {spec.__name__ for spec in SPECS} - used == set()
