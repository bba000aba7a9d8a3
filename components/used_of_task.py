"""What of a task's file a step depends on, so that a change of the model does not read all rows again.

Of `TASK = Task(...)`, and of the functions and values that it reaches, some steps use only a part. A file that is
written in a way whose parts cannot be told apart for certain counts as a whole.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable

_JUDGING = frozenset({"about", "gate", "may_tell", "metrics", "seen", "slices"})
# A test runs each of these steps with a task that lets nobody look at these.
UNUSED = {
    "components.ingest.step": _JUDGING | {"max_rejected", "models", "preprocess"},
    "components.validate.step": _JUDGING | {"models", "preprocess"},
    "components.transform.step": _JUDGING | {"max_rejected", "models", "real", "sample"},
    "components.train.step": _JUDGING | {"max_rejected", "real", "sample"},
    "components.rehearse.step": _JUDGING | {"max_rejected", "models", "preprocess", "real", "sample"},
}
# With these a file may look at itself in a way that its names do not tell.
INWARD = frozenset({
    "__dict__", "__import__", "__name__", "eval", "exec", "globals", "importlib", "inspect", "locals", "sys", "vars",
})  # fmt: skip
MARK = " without "


def unused(modules: Iterable[str]) -> frozenset[str]:
    """The fields of a task that none of these steps uses."""
    steps = [name for name in modules if name.startswith("components.") and name.endswith(".step")]
    found = [UNUSED.get(step, frozenset()) for step in steps] or [frozenset()]
    return frozenset.intersection(*found)


def state(source: bytes, without: frozenset[str]) -> str:
    """A hash of what such steps use of the source, and what that leaves out, by which it can be made again."""
    used = _used(source, without) if without and b"Task(" in source else None  # a look is cheaper than to parse
    if used is None:
        return hashlib.sha256(source).hexdigest()
    return f"{hashlib.sha256(used.encode()).hexdigest()}{MARK}{','.join(sorted(without))}"


def state_again(source: bytes, before: str) -> str:
    """The same of another source, leaving out what was left out before."""
    return state(source, frozenset(before.partition(MARK)[2].split(",")) if MARK in before else frozenset())


@functools.lru_cache
def _used(source: bytes, without: frozenset[str]) -> str | None:
    """The statements that are used, without comments and places; None if they cannot be told from the others."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return None
    if ast.get_docstring(ast.Module(statements, [])) is not None:
        statements = statements[1:]
    calls = {at: call for at, statement in enumerate(statements) if (call := _task_call(statement))}
    if len(calls) != 1 or any(_looks_inward(statement) for statement in statements):
        return None
    [(place, call)] = calls.items()
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        return None
    call.keywords = [keyword for keyword in call.keywords if keyword.arg not in without]
    makes = [_made(statement) for statement in statements]
    kept = {at for at, made in enumerate(makes) if made is None or at == place}
    while True:
        needed = {name for at in kept for name in _names(statements[at])}
        more = {at for at, made in enumerate(makes) if made and not needed.isdisjoint(made)}
        if more <= kept:
            return "\n".join(ast.dump(statements[at]) for at in sorted(kept))
        kept |= more


def _task_call(statement: ast.stmt) -> ast.Call | None:
    """The call of an assignment such as TASK = Task(...)."""
    match statement:
        case ast.Assign(value=ast.Call() as call) | ast.AnnAssign(value=ast.Call() as call):
            named = getattr(call.func, "id", None) or getattr(call.func, "attr", None)
            return call if named == "Task" else None
    return None


def _made(statement: ast.stmt) -> set[str] | None:
    """The names that a statement makes; None if it may do anything else, and so counts always."""
    match statement:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            made = {alias.asname or alias.name.partition(".")[0] for alias in names}
            return None if "*" in made or getattr(statement, "module", "") == "__future__" else made
        case ast.FunctionDef(name=name, decorator_list=[]) | ast.AsyncFunctionDef(name=name, decorator_list=[]):
            return {name}
        case ast.ClassDef(name=name, decorator_list=[], keywords=[]):
            return {name}
        case ast.Assign(targets=targets) if all(isinstance(target, ast.Name) for target in targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return None


def _names(statement: ast.stmt) -> set[str]:
    found = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return found | {name for node in ast.walk(statement) if isinstance(node, ast.Global) for name in node.names}


def _looks_inward(statement: ast.stmt) -> bool:
    attributes = {node.attr for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
    imported = _made(statement) or set() if isinstance(statement, ast.Import | ast.ImportFrom) else set()
    return not INWARD.isdisjoint(_names(statement) | attributes | imported)
