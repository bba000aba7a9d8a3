"""The Dockerfile's own lines, executed in a fresh directory, and a step's own command line there. No engine needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import ROOT

from pipelines import compiled_graph
from pipelines.kubeflow import step_resources
from pipelines.kubeflow.profile import Profile
from pipelines.local.cache import Artifact
from pipelines.local.step_values import Outputs, Values

NAME = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;]+)", re.MULTILINE)


@dataclass
class Stage:
    """One FROM and what follows it."""

    name: str
    base: str
    lines: list[tuple[str, str]] = field(default_factory=list)


def stages() -> dict[str, Stage]:
    text = re.sub(r"\\\n\s*", "", "\n".join(
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")
    ))  # fmt: skip
    found: dict[str, Stage] = {}
    for line in filter(None, text.splitlines()):
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            base, _, name = rest.split()
            found[name] = Stage(name, base)
        else:
            found[name].lines.append((word, rest))
    return found


def pins(path: str) -> dict[str, str]:
    return dict(NAME.findall((ROOT / path).read_text()))


def test_there_are_two_targets_from_the_same_dependencies_and_neither_runs_as_root() -> None:
    found = stages()
    assert list(found) == ["dependencies", "package", "cuda", "gpu", "cpu"]
    assert (found["cpu"].base, found["cuda"].base, found["gpu"].base) == ("dependencies", "dependencies", "cuda")
    assert found["cpu"].lines == found["gpu"].lines
    assert ("USER", "1000") in found["cpu"].lines


def test_everything_installed_is_pinned_by_its_hash() -> None:
    for stage in stages().values():
        for word, line in stage.lines:
            if word == "RUN" and "pip install" in line:
                assert "--no-deps" in line
                assert "--require-hashes" in line or "--no-index" in line
    for lock in ("requirements.lock", "requirements-gpu.lock"):
        blocks = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / lock).read_text().strip())
        assert all("--hash=sha256:" in block for block in blocks)
        assert "://" not in (ROOT / lock).read_text()


def test_the_two_locks_agree() -> None:
    usual, gpu = pins("requirements.lock"), pins("requirements-gpu.lock")
    assert {name: version for name, version in gpu.items() if name in usual and usual[name] != version} == {}
    assert all(name.startswith("nvidia-") for name in gpu.keys() - usual.keys())
    assert "nvidia-cudnn-cu12" in gpu
    assert not [name for name in usual if name.startswith("nvidia-")]


def test_nothing_but_what_is_copied_goes_to_the_engine() -> None:
    shown = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for stage in stages().values() for kind, rest in stage.lines if kind == "COPY"
              for word in rest.split()[:-1]]  # fmt: skip
    assert sorted(shown) == sorted(copied)
    assert all((ROOT / name).exists() for name in copied)


@dataclass
class Container:
    """A directory that stands for the image's root."""

    root: Path

    def run(self, command: str) -> None:
        command = re.sub(r"--mount=\S+\s+", "", command)
        for there in ("/opt/sluice", "/wheels"):
            command = command.replace(there, str(self.root / there[1:]))
        done = subprocess.run(
            ["sh", "-ec", command], cwd=self.root / "src", env=self.environment, capture_output=True, text=True,
            timeout=1200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"

    @property
    def environment(self) -> dict[str, str]:
        """As little as an image has; the builder's own way to packages stays."""
        ways = ("PIP_", "SSL_", "REQUESTS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
        kept = {name: value for name, value in os.environ.items() if name.upper().startswith(ways)}
        path = f"{self.root / 'opt/sluice/bin'}:{self.root / 'bin'}:/usr/bin:/bin"
        return {**kept, "PATH": path, "HOME": str(self.root / "home"), "PYTHONUNBUFFERED": "1"}


def build(root: Path, names: tuple[str, ...]) -> Container:
    """Execute these stages, as an engine would: copying what is copied, running what is run."""
    container, found = Container(root), stages()
    for name in ("src", "home", "bin", "wheels"):
        (root / name).mkdir()
    (root / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    for stage in map(found.__getitem__, names):
        for word, rest in stage.lines:
            if word == "COPY":
                _copy(rest, root / "src")
            elif word == "RUN" and "useradd" not in rest:
                container.run(rest)
    shutil.rmtree(root / "src")
    return container


def _copy(words: str, target: Path) -> None:
    *names, there = words.split()
    for name in names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / there, ignore=_ignored)
        else:
            shutil.copy(source, target / there)


def _ignored(_: str, names: list[str]) -> list[str]:
    return [name for name in names if fnmatch(name, "__pycache__")]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Container:
    return build(tmp_path_factory.mktemp("image"), ("dependencies", "package", "cpu"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The package as the image has it, beside the libraries of this environment."""
    root = tmp_path_factory.mktemp("installed")
    venv.create(root / "opt" / "sluice")
    (libraries,) = (root / "opt" / "sluice" / "lib").glob("python3*/site-packages")
    for library in Path(sysconfig.get_path("purelib")).iterdir():
        if "sluice" not in library.name and library.name != "__pycache__":
            (libraries / library.name).symlink_to(library)
    return build(root, ("package", "cpu"))


def execute(image: Container, step: str, executor_input: Mapping[str, Any], folder: Path) -> Any:
    """The step's command line as the cluster's launcher would start it, in the image."""
    spec = next(yaml.safe_load_all(step_resources.compiled(Profile())))
    container = spec["deploymentSpec"]["executors"][f"exec-{step}"]["container"]
    words = [word.replace("{{$}}", json.dumps(executor_input)) for word in (*container["command"], *container["args"])]
    done = subprocess.run(
        words, cwd=folder, env=image.environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads((folder / "executor_output.json").read_text())


@pytest.mark.thorough
@pytest.mark.slow
def test_every_step_s_own_command_runs_in_the_image(image: Container, tmp_path: Path) -> None:
    assert pushed_from(image, tmp_path) == 1


def pushed_from(image: Container, folder: Path) -> int:
    """All steps one after the other, each with what the launcher would hand to it; gives the version that is pushed."""
    graph = compiled_graph.training()
    values = Values("image-1", folder, graph.arguments({"task": "auto_mpg", "destination": str(folder / "serving")}))
    for step in graph.steps:
        place = folder / step.name
        place.mkdir()
        said = execute(image, step.name, values.executor_input(step, place), place)
        made = {
            name: Artifact(path=f"{step.name}/{name}", files={}, content="", metadata={})
            for name in step.output_artifacts
        }
        values.outputs[step.name] = Outputs(said.get("parameterValues", {}), made)
    return int(values.outputs["push"].parameters["version"])


@pytest.mark.slow
def test_the_package_is_the_installed_one(installed: Container, tmp_path: Path) -> None:
    code = "import components, pipelines, tasks; print(components.__file__); print(tasks.names())"
    first, names = answered(installed, tmp_path, "python", "-c", code).splitlines()
    assert first.startswith(str(installed.root / "opt/sluice"))
    assert "auto_mpg" in names
    assert json.loads(answered(installed, tmp_path, "sluice", "tasks", "--json"))


def answered(image: Container, folder: Path, *words: str) -> str:
    return subprocess.run(
        words, cwd=folder, env=image.environment, capture_output=True, text=True, timeout=300, check=True
    ).stdout


@pytest.mark.thorough
@pytest.mark.slow
def test_the_libraries_are_there_and_the_tools_are_not(image: Container, tmp_path: Path) -> None:
    answered(image, tmp_path, "python", "-c", "import tensorflow, components.train.step")
    assert not (image.root / "opt/sluice/bin/mypy").exists()
    packages = next((image.root / "opt/sluice/lib").glob("python3*/site-packages"))
    assert not (packages / "tensorflow/include").exists()
    assert not (packages / "pandas/tests").exists()
    assert json.loads(answered(image, tmp_path, "sluice", "tasks", "--json"))


@pytest.mark.slow
def test_other_code_under_the_same_image_name_has_other_keys(installed: Container, tmp_path: Path) -> None:
    """An image whose tag was moved to other code: Kubeflow's cache must not take its steps for the old ones."""
    code = "from components.resolve import step; print(*step.step_codes('auto_mpg'))"

    def keys() -> list[str]:
        return answered(installed, tmp_path, "python", "-c", code).split()

    before = keys()
    (module,) = (installed.root / "opt/sluice").glob("lib/python*/site-packages/components/train/step.py")
    kept = module.read_text()
    module.write_text(kept + "\nMOVED = True\n")
    try:
        after = keys()
    finally:
        module.write_text(kept)
    changed = [one != other for one, other in zip(before, after, strict=True)]
    assert changed[3]  # train
    assert not changed[0]  # ingest does not import it
