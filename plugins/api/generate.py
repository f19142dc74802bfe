"""Makes the Python modules of `streamgate_api/proto/*.proto` anew: run it after changing one, and commit both.

python plugins/api/generate.py [FOLDER]

They are part of the package, so that neither an installation nor a client of ours needs a compiler; a test compares
them with what this makes.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from grpc_tools import protoc

FOLDER = Path(__file__).parent


def generate(target: Path) -> None:
    """Writes them below `target`, as `streamgate_api/proto/*_pb2.py` and kin.

    Raises:
        RuntimeError: protoc refused; it has said why.
    """
    includes = [FOLDER, Path(protoc.__file__).parent / "_proto", Path(sysconfig.get_path("purelib"))]
    sources = [str(path.relative_to(FOLDER)) for path in sorted((FOLDER / "streamgate_api/proto").glob("*.proto"))]
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", *(f"-I{path}" for path in includes), *outputs, *sources]) != 0:
        raise RuntimeError("protoc refused the .proto files")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
