"""Heavy modules as placeholders until they are used: listing tasks must not wait for TensorFlow.

A task's module may import TensorFlow at its top and use it in its functions alone. `install` makes such an import
bind a placeholder, which imports the real module when the first attribute is asked for.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

HEAVY = frozenset(
    {"tensorflow", "keras", "tensorflow_transform", "tensorflow_hub", "tensorflow_datasets", "pandas", "numpy"}
)


class _Placeholder(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if "armed" not in self.__dict__:  # the import system is still setting the placeholder up
            raise AttributeError(name)
        if name == "__file__" and not loaded(self.__name__):  # `inspect` asks every module, and kfp asks `inspect`
            raise AttributeError(name)
        return getattr(sys.modules[self.__name__] if loaded(self.__name__) else load(self.__name__), name)

    def __reduce__(self) -> tuple[Callable[[str], ModuleType], tuple[str]]:
        return importlib.import_module, (self.__name__,)


class _Wanted(threading.local):
    """The names that this thread is importing for real at the moment."""

    names: frozenset[str] = frozenset()


class _Finder(MetaPathFinder, Loader):
    """Gives a placeholder for each name until its turn to be loaded has come."""

    def __init__(self) -> None:
        self.wanted = _Wanted()
        self.barred: frozenset[str] = frozenset()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in HEAVY and "." in fullname and fullname in sys.modules:
            # `import a.b` with a placeholder for `a`: asking for its path has just loaded both.
            return ModuleSpec(fullname, _Present(sys.modules[fullname]))
        if fullname in self.barred:
            return ModuleSpec(fullname, _Absent())
        lazy = fullname in HEAVY or fullname.startswith("transforms.")
        return ModuleSpec(fullname, self) if lazy and fullname not in self.wanted.names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Placeholder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["armed"] = True


class _Present(Loader):
    """Hands out a module that is loaded already, as it is."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class _Absent(Loader):
    """A module that says it is not installed only when it is imported, so that one may ask for its whereabouts."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        raise ModuleNotFoundError(f"Sluice does without {spec.name} here.", name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        raise AssertionError


_FINDER = _Finder()


def install() -> None:
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def load(name: str) -> ModuleType:
    """The real module, imported now if it is not yet."""
    before = _FINDER.wanted.names
    # A heavy library gets its like for real, too: placeholders inside it would cost at every use.
    wanted = HEAVY if name in HEAVY else frozenset({name})
    _FINDER.wanted.names = before | wanted
    _FINDER.barred -= {name}
    try:
        for placeholder in wanted:
            if isinstance(sys.modules.get(placeholder), _Placeholder):
                del sys.modules[placeholder]
        with no_garbage_collection():
            return importlib.import_module(name)
    finally:
        _FINDER.wanted.names = before


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Python looks for none during imports, where that takes a third of the time, nor later among what was imported."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
            gc.freeze()


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Meanwhile a library that would like one of these is told that it is not installed; placeholders still load it."""
    kept = {name: sys.modules.pop(name, None) for name in names if not loaded(name)}
    _FINDER.barred = frozenset(kept)
    try:
        yield
    finally:
        _FINDER.barred = frozenset()
        sys.modules.update({name: module for name, module in kept.items() if module and name not in sys.modules})


def loaded(name: str) -> bool:
    """Whether the real module, not a placeholder, is imported to its end."""
    module = sys.modules.get(name)
    if module is None or isinstance(module, _Placeholder):
        return False
    return not getattr(module.__spec__, "_initializing", False)
