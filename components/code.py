"""What a step's code is: the sources it reaches by imports, read without importing, and the libraries below them."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import tasks
from components import used_of_task
from components.storage.atomic_files import write_json
from tasks import InputError

ROOT = Path(__file__).parent.parent
OURS = ("pipelines", "components", "tasks", "transforms")
SLOW = frozenset({"tensorflow", "keras", "tensorflow_transform", "tensorflow_hub"})
LIBRARIES = (
    "apache-beam", "keras", "kfp", "numpy", "pandas", "protobuf", "pyarrow", "scikit-learn",
    "scipy", "tensorflow", "tensorflow-datasets", "tensorflow-hub", "tensorflow-transform", "tfx-bsl",
)  # fmt: skip


# What sources import, by their hash and package, as it was kept by an earlier command; and what this one has used.
_KEPT: dict[str, list[str]] = {}
_USED: dict[str, list[str]] = {}


@dataclass(frozen=True)
class Module:
    """A source file, and the dotted names it imports, ours and others'."""

    path: Path
    content: bytes
    imports: frozenset[str]


def code_hash(*modules: str, root: Path = ROOT, within: tuple[str, ...] = OURS[1:]) -> str:
    """One hash over the sources that these modules reach, Python's version and the libraries' versions."""
    everything = {**sources(*modules, root=root, within=within), **libraries()}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def sources(*modules: str, root: Path = ROOT, within: tuple[str, ...] = OURS[1:]) -> dict[str, str]:
    """The sha256 of each of our files that these modules reach in these packages, by its path below the root.

    Where the modules are steps that use only a part of a task, what they do not use of its file does not count.
    """
    without = used_of_task.unused(modules)
    return {
        _name(module.path, root): used_of_task.state(
            module.content, without if name.startswith("tasks.") else frozenset()
        )
        for name, module in sorted(_closure(modules, within, root).items())
    }


def place(name: str, root: Path = ROOT) -> Path:
    """Where the file lies that `sources` calls so: a task of one's own is in another folder."""
    return _there(name, root) or root / name


def _there(name: str, root: Path) -> Path | None:
    folders = tasks.__path__ if name.startswith("tasks/") else ()
    candidates = (f"{root}/{name}", *(f"{folder}/{name.removeprefix('tasks/')}" for folder in folders))
    found = next(filter(os.path.isfile, candidates), None)  # asked thousands of times: a Path takes five times as long
    return None if found is None else Path(found)


def altered(sources: Mapping[str, str], root: Path = ROOT) -> list[str]:
    """Which of these files are not what they were when they were read."""
    return [name for name, known in sorted(sources.items()) if _state(place(name, root), known) != known]


def _state(path: Path, before: str) -> str:
    try:
        return used_of_task.state_again(path.read_bytes(), before)
    except OSError:
        return ""


def _name(path: Path, root: Path) -> str:
    """A task's file has one name wherever it lies, so that its key is the same here and in an image."""
    for folder in map(Path, tasks.__path__):
        if path.is_relative_to(folder) and not path.is_relative_to(root / "tasks"):
            return f"tasks/{path.relative_to(folder).as_posix()}"
    return path.relative_to(root).as_posix()


@functools.cache
def libraries() -> Mapping[str, str]:
    """The versions of what can change a step's results without a change of ours."""
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    return versions


def heavy(*modules: str, root: Path = ROOT) -> bool:
    """Whether these modules, or what they reach within the components, import TensorFlow or what is built on it."""
    return not SLOW.isdisjoint(externals(*modules, root=root))


def externals(*modules: str, root: Path = ROOT) -> set[str]:
    """The foreign packages that these modules, or what they reach within the components, import."""
    reached = _closure(modules, ("components",), root).values()
    roots = {name.partition(".")[0] for module in reached for name in module.imports}
    return roots | {name.partition(".")[0] for name in modules if name.partition(".")[0] not in OURS}


def exists(module: str) -> bool:
    """Whether the dotted name is a module or package of ours."""
    return module.partition(".")[0] in OURS and _file(module, ROOT) is not None


@contextmanager
def kept_imports(path: Path) -> Iterator[None]:
    """Meanwhile a source is parsed only if this file does not tell what it imports; it is kept there for later."""
    with suppress(OSError, ValueError):
        _KEPT.update(json.loads(path.read_bytes()))
    yield
    if not _USED.keys() <= _KEPT.keys():
        with suppress(OSError):  # it is quicker with it, no more
            write_json(path, _USED)


def imported(source: str, package: str = "") -> frozenset[str]:
    """The dotted names that a source imports anywhere but under TYPE_CHECKING; `from a import b` names a and a.b."""
    return frozenset(_names(ast.parse(source), package))


def _closure(modules: Iterable[str], within: tuple[str, ...], root: Path) -> dict[str, Module]:
    found: dict[str, Module] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in found or name.partition(".")[0] not in within:
            continue
        if parent := name.rpartition(".")[0]:
            waiting.append(parent)
        if (path := _file(name, root)) is not None:
            found[name] = _read(path, name if path.name == "__init__.py" else parent)
            waiting.extend(found[name].imports)
    return found


def _file(module: str, root: Path) -> Path | None:
    # Folders of tasks come and go; ours stay as they are while a command goes on.
    return _found(module, root) if module.startswith("tasks.") else _known(module, root)


def _found(module: str, root: Path) -> Path | None:
    name = module.replace(".", "/")
    return _there(f"{name}.py", root) or _there(f"{name}/__init__.py", root)


_known = functools.cache(_found)


@functools.cache
def _finder() -> str:
    """What finds imports: this file, in this Python."""
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()[:16]


@functools.cache
def _read(path: Path, package: str) -> Module:
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    key = f"{_finder()} {sha256} {package}"
    try:
        _USED[key] = _KEPT[key] if key in _KEPT else sorted(imported(content.decode(), package))
    except (SyntaxError, UnicodeDecodeError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        why = error.msg if isinstance(error, SyntaxError) else error
        raise InputError(f"{path.parent.name}/{path.name}{line}: This is not Python: {why}.") from error
    return Module(path, content, frozenset(_USED[key]))


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`, which never run."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in (
            getattr(child.test, "id", ""),
            getattr(child.test, "attr", ""),
        ):
            for other in child.orelse:
                yield from _running(other)
        elif not isinstance(child, ast.expr):
            yield from _running(child)
