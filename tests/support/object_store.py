"""A directory that behaves as an object store does, and a program that pushes to it: python object_store.py URL MODEL.

Objects appear whole, an object can be created on condition that there is none, and nothing can be renamed.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import fsspec
from fsspec.implementations.local import LocalFileSystem


class ObjectStore(LocalFileSystem):
    protocol = ("plain",)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(str(path).removeprefix("plain://")))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        self._put(Path(self._strip_protocol(path)), value, only_if_absent=mode == "create")

    def put_file(self, lpath: str, rpath: str, callback: Any = None, **_: Any) -> None:
        self._put(Path(self._strip_protocol(rpath)), Path(lpath).read_bytes(), only_if_absent=False)

    def mv(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("An object store cannot rename.")

    mv_file = rename = move = mv

    @staticmethod
    def _put(path: Path, content: bytes, *, only_if_absent: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.gettempdir(), f"object-{secrets.token_hex(8)}")
        hidden.write_bytes(content)
        try:
            os.link(hidden, path) if only_if_absent else hidden.replace(path)
        finally:
            hidden.unlink(missing_ok=True)


def register() -> None:
    fsspec.register_implementation("plain", ObjectStore, clobber=True)


def main(url: str, model: str) -> None:
    from components.serving import versions
    from components.storage import atomic_files

    papers = {
        "provenance.json": {"model_sha256": atomic_files.tree_hash(model)},
        "statistics.json": {"x": list(range(999))},
    }
    while True:
        print("pushing", flush=True)
        versions.add(url, "cars", model, papers)
        versions.prune(url, "cars", 5)
        for earlier in versions.versions(url, "cars")[-2:-1]:
            versions.rollback(url, "cars", earlier.number)


if __name__ == "__main__":
    register()
    main(*sys.argv[1:])
