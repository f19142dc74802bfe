"""What may not lie in the repository: paths of one machine, addresses of registries, secrets, files past reading."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE = {"streamgate/": 400, "plugins/": 400, "deploy/": 400, "tests/": 600}


def tracked() -> list[Path]:
    """Files that are or would be in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in found.split("\0") if name and (ROOT / name).is_file()]


FILES = tracked()


def texts() -> list[tuple[str, str]]:
    found = []
    for path in FILES:
        try:
            found.append((str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


TEXTS = texts()


def matching(pattern: str, *, under: str = "") -> list[str]:
    compiled = re.compile(pattern, re.MULTILINE)
    return [name for name, text in TEXTS if name.startswith(under) and compiled.search(text)]


def test_no_path_of_one_machine() -> None:
    home = re.escape(str(Path.home()))
    assert matching(rf"{re.escape(str(ROOT))}\b|(?<![\w.]){home}/\w|/home/\w+/|/Users/\w+/|(?<![\w.])/[r]oot/\w") == []


def test_no_registry_address() -> None:
    locks = [name for name, _ in TEXTS if name.endswith((".lock", "package-lock.json", ".npmrc"))]
    assert locks
    for name, text in TEXTS:
        if name in locks:
            assert not re.search(r"https?://|\"resolved\"|^-e |file:", text, re.MULTILINE), name
    assert matching(r"^\s*(--)?(extra-)?index-url\b|registry\.npmjs\.org/|files\.pythonhosted\.org/") == []


def test_every_locked_package_has_its_hashes() -> None:
    for name, text in TEXTS:
        if name.endswith(".lock"):
            stanzas = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
            assert stanzas
            assert [stanza.split()[0] for stanza in stanzas if "--hash=sha256:" not in stanza] == [], name
        if name.endswith("package-lock.json"):
            packages = json.loads(text)["packages"]
            assert [key for key, value in packages.items() if key and "integrity" not in value] == [], name


def test_no_private_key() -> None:
    assert matching(r"-----BEGIN [A-Z ]*PRIVATE KEY-----") == []


def test_no_data_and_nothing_built() -> None:
    strange = re.compile(r"\.(db|sqlite3?|pyc|whl|mp4|m4s|log)$|(^|/)(node_modules|__pycache__|data)/")
    assert [name for name in (str(path.relative_to(ROOT)) for path in FILES) if strange.search(name)] == []


def test_files_can_be_read_in_one_go() -> None:
    written = ((name, text) for name, text in TEXTS if name.endswith(".py") and "_pb2" not in name)  # generated
    lines = {name: text.count("\n") for name, text in written}
    for folder, longest in LONGEST_FILE.items():
        assert {name: n for name, n in lines.items() if name.startswith(folder) and n > longest} == {}


def test_every_package_says_it_is_typed() -> None:
    packages = [ROOT / "streamgate", *(path.parent for path in ROOT.glob("plugins/*/streamgate_*/__init__.py"))]
    assert [path.name for path in packages if not (path / "py.typed").is_file()] == []


def test_no_test_is_skipped() -> None:
    marks = r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b|unittest\.skip"
    assert matching(marks, under="tests/") == []


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci/run"])
def test_the_usual_files_are_there(name: str) -> None:
    assert (ROOT / name).is_file()
