"""The notebook of the docs, executed by Jupyter as a reader would, and what its cells show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import warm_command
from nbclient import NotebookClient
from repository import ROOT

import sluice
from pipelines.local import remove_runs
from tasks import InputError

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def shown(cell: nbformat.NotebookNode) -> str:
    parts = [output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(parts)


@pytest.mark.slow
def test_the_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    monkeypatch.setenv("SLUICE_WARM", "1")  # the second run is forked from what the first has loaded
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        # The fit's length is the only thing that is not as in the docs.
        cell.source = cell.source.replace('"model.units": 32}, push=True', '"train.epochs": 2}, push=True, force="x"')
    try:
        NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
        ).execute()
    finally:
        warm_command.stop(tmp_path / "runs")
    said = {cell.source.partition("\n")[0]: shown(cell) for cell in notebook.cells if cell.cell_type == "code"}
    (ran,) = [text for source, text in said.items() if source.startswith("run = ")]
    assert [line.split()[:2] for line in ran.splitlines()[:8]] == [
        ["✓", step] for step in ("resolve", "ingest", "validate", "transform", "train", "evaluate", "rehearse", "push")
    ]
    assert "version 1 is served" in ran
    assert "weight is not a number: 'heavy'" in said['model = sluice.load("auto_mpg")']
    assert "auto_mpg-2" in said["table = sluice.compare(run, other)"]
    assert "%%writefile" in said["try:"]
    assert not any("TensorFlow binary" in text for text in said.values())  # its greetings


def test_importing_costs_nothing() -> None:
    code = (
        "import sys, time; began = time.perf_counter(); import sluice; took = time.perf_counter() - began; "
        "print(took, sorted({'numpy', 'pandas', 'tensorflow', 'kfp'} & set(sys.modules)))"
    )
    took, modules = min(
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(3)
    )
    assert float(took) < 0.2
    assert json.loads(modules) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"task": "auto_mgp"}, "There is no task 'auto_mgp'. Did you mean 'auto_mpg'?"),
        ({"task": "auto_mpg", "data": [1]}, "a file or glob, a DataFrame or an Arrow table. Received: list"),
        ({"task": "auto_mpg", "set": {"train.epochs": "few"}}, "train.epochs must be an integer. Received: 'few'"),
        ({"task": "auto_mpg", "runs": "gs://bucket/runs"}, "Runs are kept on this machine"),
        ({"task": 3}, 'A run takes a task\'s name, such as "auto_mpg". Received: 3.'),
    ],
)  # fmt: skip
def test_wrong_words_are_errors_with_the_command_lines_sentences(
    tmp_path: Path, words: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        sluice.run(**{"runs": tmp_path, "serving": tmp_path / "serving", "quiet": True, **words})  # type: ignore[arg-type]
    assert sentence in str(caught.value)
    assert not list(tmp_path.glob("auto_mpg-*"))


def test_a_failed_step_is_an_error_that_names_the_run(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"cylinders": [4], "displacement": [120]})
    with pytest.raises(InputError, match="has no columns 'horsepower', 'weight'") as caught:
        sluice.run("auto_mpg", data=frame, runs=tmp_path, serving=tmp_path / "serving", quiet=True)
    assert str(tmp_path / "auto_mpg-1" / "logs" / "ingest.log") in str(caught.value)
    (kept,) = (tmp_path / ".frames").iterdir()
    assert pd.read_parquet(kept).equals(frame)
    assert sluice.get_run("auto_mpg-1", runs=tmp_path).status == "failed"
    with pytest.raises(InputError, match="auto_mpg-1 has no model of its own: failed"):
        _ = sluice.get_run("auto_mpg-1", runs=tmp_path).history
    remove_runs.tidy(tmp_path)
    assert kept.exists()  # the run that read it is there
    remove_runs.remove(tmp_path, "auto_mpg-1")
    remove_runs.tidy(tmp_path)
    assert not kept.exists()
