"""Make a virtual environment, or say what this Python lacks. Runs on any Python 3, to be able to say so."""

import os
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 14)


def main(folder: str) -> int:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        print(
            "StreamGate needs Python %d.%d to %d.%d; %s is %d.%d.\nName another one: make PYTHON=python3.12 …"
            % (*OLDEST, *NEWEST, sys.executable, *sys.version_info[:2]),
            file=sys.stderr,
        )
        return 1
    if os.path.exists(os.path.join(folder, "bin", "python")):
        return 0
    made = subprocess.run([sys.executable, "-m", "venv", folder], check=False)
    if made.returncode != 0:
        print(
            "This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv",
            file=sys.stderr,
        )
    return made.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
