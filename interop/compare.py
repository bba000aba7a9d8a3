"""Whether TensorFlow for Java answers from pushed versions as Sluice does: every model of every task, on its sample.

The models are fitted for one epoch and pushed past the gate: what is compared is the way to an answer, not its worth.
With --pushed it asks those that tests/tasks/test_every_task.py has pushed, where KEEP_PUSHED named a directory.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tasks
from components.rehearse.awkward_requests import kind
from tasks import Date, Feature, Image, Task

HERE = Path(__file__).parent
SLUICE = (sys.executable, "-m", "pipelines")
MAVEN = (
    "mvn",
    "--quiet",
    "--batch-mode",
    "--file",
    str(HERE / "pom.xml"),
    "compile",
    "exec:java",
)
CLOSE = 1e-5
ROWS = 30

Answers = dict[str, np.ndarray]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", metavar="TASK", nargs="*", help="default: all")
    parser.add_argument(
        "--pushed", type=Path, metavar="DIR", help="where tests/tasks/test_every_task.py kept its versions"
    )
    given = parser.parse_args()
    if missing := [program for program in ("java", "mvn") if shutil.which(program) is None]:
        print(f"interop: not run, not passed: no {' and no '.join(missing)} here. It needs Java 17 and Maven 3.8.")
        return 1
    with tempfile.TemporaryDirectory() as name:
        models = [(task, model) for task in given.tasks or tasks.names() for model in tasks.get(task).models]
        found = kept(given.pushed) if given.pushed else {}
        pushed = [found.get(each) or push(Path(name), *each) for each in models]
        answered = ask_java([version["question"] for version in pushed])
        faults = [list(differences(*each)) for each in zip(pushed, answered, strict=True)]
    for version, found in zip(pushed, faults, strict=True):
        print(f"{version['task']}/{version['model']}: {'; '.join(found) or 'equal'}")
    print(f"interop: {faults.count([])} of {len(faults)} models answer Java as they answer Sluice, to {CLOSE:g}.")
    return 0 if faults and not any(faults) else 1


def push(place: Path, task: str, model: str) -> dict[str, Any]:
    """Run the pipeline for one epoch; what was pushed, and what it is to be asked."""
    words = ["--model", model, "--set", "train.epochs=1", "--force", "interop", "--json"]
    run = json.loads(sluice("run", task, *words, "--runs", str(place / "runs"), "--serving", str(place / "serving")))
    print(f"pushed {task}/{model}", file=sys.stderr, flush=True)
    return version(place / "runs" / run["run"], Path(run["pushed"]), model)


def version(run: Path, pushed: Path, model: str) -> dict[str, Any]:
    definition = tasks.get(pushed.parent.name)
    kinds = {feature.name: kind(feature) for feature in definition.features}
    question = {"path": str(pushed), "features": kinds, "rows": raw_rows(definition)}
    return {"task": pushed.parent.name, "model": model, "run": run, "question": question}


def kept(place: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The versions that lie there already, by task and model."""
    found = {}
    for path in place.glob("*/serving/*/*/assets.extra/provenance.json"):
        about = json.loads(path.read_text())
        found[about["task"], about["model"]] = version(place / "runs" / about["run"], path.parents[1], about["model"])
    return found


def sluice(*words: str, given: str = "") -> str:
    done = subprocess.run([*SLUICE, *words], input=given, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"interop: sluice {' '.join(words)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def raw_rows(task: Task) -> list[dict[str, Any]]:
    """Rows of the sample as JSON; the first of them without anything that may be missing."""
    frame = next(iter(task.sample()[0].read())).head(ROWS)
    rows = [
        {f.name: plain(f, row[f.name]) for f in task.features if present(row[f.name])}
        for row in frame.to_dict("records")
    ]
    rows[0] = {f.name: rows[0][f.name] for f in task.features if f.name in rows[0] and f.when_missing == "reject"}
    return rows


def present(value: Any) -> bool:
    return bool(np.ndim(value) or pd.notna(value))


def plain(feature: Feature, value: Any) -> Any:
    """As JSON has it; pixels as TensorFlow Serving's requests carry bytes."""
    if isinstance(feature, Image):
        pixels = value if isinstance(value, bytes) else np.asarray(value, np.uint8).tobytes()
        return {"b64": base64.b64encode(pixels).decode()}
    if isinstance(feature, Date):
        return pd.Timestamp(value).isoformat()
    return value.item() if hasattr(value, "item") else value


def ask_java(questions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One Java process for all versions."""
    lines = "".join(f"{json.dumps(question)}\n" for question in questions)
    done = subprocess.run([*MAVEN, "compile", "exec:java"], input=lines, capture_output=True, text=True)
    # Maven resets the terminal's colour before the first line, also where there is no terminal.
    answers = [json.loads(line[line.index("{") :]) for line in done.stdout.splitlines() if "{" in line]
    if done.returncode or len(answers) != len(questions):
        raise SystemExit(f"interop: Java failed:\n{(done.stdout + done.stderr)[-3000:]}")
    print(next(line for line in done.stderr.splitlines() if line.startswith("TensorFlow ")), file=sys.stderr)
    return answers


def differences(version: Mapping[str, Any], java: Mapping[str, Any]) -> Iterator[str]:
    """What Java was told otherwise than `sluice predict`, and otherwise than the evaluation."""
    task, question = tasks.get(version["task"]), version["question"]
    lines = "".join(f"{json.dumps(row)}\n" for row in question["rows"])
    path = Path(question["path"])
    place = ("--version", path.name, "--serving", str(path.parents[1]))
    said = sluice("predict", version["task"], "-", *place, given=lines)
    predicted = by_output(task, [json.loads(line) for line in said.splitlines()])
    for signature in ("features", "serving_default"):
        yield from unequal(f"raw rows, {signature}", predicted, java[signature])

    table = pd.read_parquet(version["run"] / "evaluate" / "predictions")
    evaluated = np.stack(list(table["prediction"]))
    if len(java["warmup"]) != 4:
        yield f"{len(java['warmup'])} warm-up requests instead of 4"
    for answer in java["warmup"]:
        received = answer["outputs"][main_output(task)]
        expected = np.resize(evaluated, (len(received), *evaluated.shape[1:]))
        yield from unequal(f"warm-up, {answer['signature']}", {"it": expected}, {"it": received})


def by_output(task: Task, answers: Sequence[Mapping[str, Any]]) -> Answers:
    """The answers of `sluice predict` under the names of the SavedModel's outputs."""
    if task.kind == "regression":
        return {name: np.array([answer[name] for answer in answers]) for name in answers[0]}
    probabilities = np.array([list(answer["probabilities"].values()) for answer in answers])
    if task.kind == "binary":
        return {"probability": probabilities[:, 1]}
    return {"probabilities": probabilities, "class": np.array([answer["class"] for answer in answers])}


def main_output(task: Task) -> str:
    return {"regression": "prediction", "binary": "probability", "classes": "probabilities"}[task.kind]


def unequal(what: str, expected: Mapping[str, Any], received: Mapping[str, Any]) -> Iterator[str]:
    if expected.keys() != received.keys():
        yield f"{what}: the outputs {sorted(received)} instead of {sorted(expected)}"
        return
    for name, wanted in expected.items():
        got = np.array(received[name])
        if got.shape != wanted.shape:
            yield f"{what}: {name} of shape {got.shape} instead of {wanted.shape}"
        elif wanted.dtype.kind in "US":
            if wrong := int((got != wanted).sum()):
                yield f"{what}: {name} differs in {wrong} rows"
        elif not np.allclose(got, wanted, rtol=CLOSE, atol=CLOSE):
            yield f"{what}: {name} differs by {np.abs(got - wanted).max():g}"


if __name__ == "__main__":
    sys.exit(main())
