"""`--write` and `--check`."""

from __future__ import annotations

import sys

from streamgate.testing.docs import GENERATED, ROOT


def main(arguments: list[str]) -> int:
    if arguments not in (["--write"], ["--check"]):
        print("usage: python -m streamgate.testing.docs --write | --check", file=sys.stderr)
        return 2
    try:
        texts = {ROOT / name: make() for name, make in GENERATED.items()}
    except (RuntimeError, ValueError) as fault:
        print(f"documents cannot be made: {fault}", file=sys.stderr)
        return 1
    old = {path: text for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text}
    for path, text in old.items():
        if arguments == ["--check"]:
            print(f"{path.relative_to(ROOT)} is not as the code is: run 'make fmt'", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if old and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
