"""What a step's code is, on small trees of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from components import code
from pipelines.local import step_process
from tasks import InputError


def write(root: Path, files: dict[str, str]) -> Path:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    packages = ("components", "tasks", "transforms", "pipelines")
    return write(tmp_path, {f"{package}/__init__.py": "" for package in packages})


def test_sources_are_those_reached_by_imports_of_any_form(root: Path) -> None:
    write(
        root,
        {
            "components/train.py": "import tasks\nfrom components import feeding\nimport transforms.scaling as s",
            "components/feeding.py": "def f():\n    if True:\n        from tasks._files import path",
            "components/push.py": "",
            "tasks/_files.py": "",
            "tasks/_other.py": "",
            "transforms/scaling.py": "",
        },
    )
    assert list(code.sources("components.train", root=root)) == [
        "components/__init__.py", "components/feeding.py", "components/train.py", "tasks/__init__.py",
        "tasks/_files.py", "transforms/__init__.py", "transforms/scaling.py",
    ]  # fmt: skip


def test_relative_imports_and_packages_are_followed(root: Path) -> None:
    write(
        root,
        {
            "components/evaluate.py": "from components import pages",
            "components/pages/__init__.py": "from .html import page\nfrom . import plots",
            "components/pages/html.py": "from ..files import write",
            "components/pages/plots.py": "",
            "components/files.py": "",
        },
    )
    reached = code.sources("components.evaluate", root=root)
    expected = {"components/pages/html.py", "components/pages/plots.py", "components/files.py"}
    assert expected <= reached.keys()


def test_one_task_does_not_depend_on_another(root: Path) -> None:
    write(root, {"tasks/a.py": "from tasks import _shared", "tasks/b.py": "", "tasks/_shared.py": ""})
    assert list(code.sources("tasks.a", root=root)) == ["tasks/__init__.py", "tasks/_shared.py", "tasks/a.py"]


def test_pipelines_are_never_part_of_a_step_s_code(root: Path) -> None:
    write(root, {"components/a.py": "import pipelines.graph", "pipelines/graph.py": ""})
    assert "pipelines/graph.py" not in code.sources("components.a", root=root)


def test_the_hash_changes_with_a_source_that_is_reached_and_with_no_other(tmp_path: Path) -> None:
    def hashed(name: str, **sources: str) -> str:
        files = {f"components/{module}.py": source for module, source in sources.items()}
        return code.code_hash("components.a", root=write(tmp_path / name, files))

    before = hashed("1", a="import components.b", b="x = 1", c="")
    assert hashed("2", a="import components.b", b="x = 1", c="y = 1") == before
    assert hashed("3", a="import components.b", b="x = 2", c="") != before


def test_the_hash_knows_python_s_and_the_libraries_versions() -> None:
    assert {"python", "tensorflow", "keras", "apache-beam", "numpy"} <= code.libraries().keys()


def test_a_step_is_heavy_if_something_it_reaches_imports_tensorflow(root: Path) -> None:
    write(
        root,
        {
            "components/train.py": "from components import feeding",
            "components/feeding.py": "import tensorflow as tf",
            "components/ingest.py": "import apache_beam\nimport tasks\nfrom tasks import t",
            "components/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import keras",
            "tasks/t.py": "import tensorflow",
        },
    )
    assert code.heavy("components.train", root=root)
    assert not code.heavy("components.ingest", root=root)
    assert not code.heavy("components.typed", root=root)


@pytest.mark.parametrize("name", ["train", "transform", "evaluate"])
def test_these_steps_are_heavy(name: str) -> None:
    assert code.heavy(f"components.{name}.step")


@pytest.mark.parametrize("name", ["resolve", "ingest", "validate", "push"])
def test_these_steps_are_light(name: str) -> None:
    assert not code.heavy(f"components.{name}.step")


def test_a_source_with_an_error_is_named(root: Path) -> None:
    write(root, {"tasks/broken.py": "def"})
    with pytest.raises(InputError, match=r"^tasks/broken\.py, line 1: This is not Python: "):
        code.sources("tasks.broken", root=root)


def test_a_source_that_changed_or_went_is_altered(root: Path) -> None:
    write(root, {"tasks/a.py": "import tasks.b", "tasks/b.py": "", "tasks/c.py": ""})
    known = code.sources("tasks.a", "tasks.c", root=root)
    assert code.altered(known, root) == []
    (root / "tasks" / "a.py").write_text("import tasks.b  # and more")
    (root / "tasks" / "c.py").unlink()
    assert code.altered(known, root) == ["tasks/a.py", "tasks/c.py"]


def test_what_is_imported_when_types_are_not_checked_is_code_too(root: Path) -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tasks.a\nelse:\n    import tasks.b\n"
    assert code.imported(source) >= {"tasks.b"}
    assert "tasks.a" not in code.imported(source)


def test_a_step_does_not_run_with_code_that_its_key_does_not_tell() -> None:
    known = code.sources("tasks.auto_mpg")
    step_process._demand_unaltered(known)
    with pytest.raises(RuntimeError, match=r"tasks/auto_mpg\.py changed while the run went on"):
        step_process._demand_unaltered({**known, "tasks/auto_mpg.py": "what it was before"})


def test_what_a_source_imports_is_kept_for_as_long_as_it_is_the_same(root: Path, tmp_path: Path) -> None:
    def reached() -> list[str]:
        code._read.cache_clear()  # as in another command
        code._KEPT.clear()
        code._USED.clear()
        with code.kept_imports(tmp_path / "kept"):
            return [name for name in code.sources("components.a", root=root) if "__init__" not in name]

    write(root, {"components/a.py": "import components.b", "components/b.py": "", "components/c.py": ""})
    assert reached() == ["components/a.py", "components/b.py"]
    told = (tmp_path / "kept").read_text()
    (tmp_path / "kept").write_text(told.replace('"components.b"', '"components.c"'))
    assert reached() == ["components/a.py", "components/c.py"]  # so it was not parsed again
    write(root, {"components/a.py": "import components.b  # changed"})
    assert reached() == ["components/a.py", "components/b.py"]
    (tmp_path / "kept").write_text("damaged")
    assert reached() == ["components/a.py", "components/b.py"]
