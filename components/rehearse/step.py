"""Rehearse: the exported model in a clean process, as a server would have it, asked the plain and the awkward.

What comes of it is a document, as the blessing is: the pusher wants it, for this very model, and passed.
"""

from __future__ import annotations

import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tasks
from components import warm_process
from components.progress import say
from components.rehearse import clean_process
from components.rehearse.awkward_requests import SINGLE, THOUSAND, Questions, prepared
from components.rehearse.clean_process import BY_SESSION, SIGNATURES
from components.serving import trained_answers
from components.serving.output_names import CLOSE, WARMUP, main_output
from components.storage import atomic_files
from tasks import Task

SECONDS = 900
DOCUMENT, ANSWERS = "rehearsal.json", "answers.pickle"
LOADERS = {"python": "Python's loader", "session": "the session loader, which TensorFlow Serving, Java, C and Go use"}


class Rehearsed(NamedTuple):
    passed: bool
    reasons: list[str]


def run(*, task: str, model: str, examples: str, rehearsal: str) -> Rehearsed:
    """Write rehearsal.json and, if the model has answered, the warm-up requests into the directory `rehearsal`."""
    folder = Path(rehearsal).absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    document = tried(tasks.get(task), task, Path(model).absolute(), examples, folder)
    atomic_files.write_json(folder / DOCUMENT, document)
    return Rehearsed(document["passed"], document["reasons"])


def tried(task: Task, name: str, model: Path, examples: str, folder: Path) -> dict[str, Any]:
    """Ask the exported model, and say what came of it."""
    served = model / "serving"
    kept = os.environ.get(warm_process.CLEAN_PROCESS, "")
    if not kept:
        say("starting a clean process")
    with nullcontext() if kept else _started(served, folder) as process:
        try:
            questions = prepared(task, name, examples)
            expected = trained(model, questions.ids)
            say("asking the exported model")
            answers = _answers(process or kept, questions, served, folder)
        finally:
            if process is not None:
                process.kill()
    reasons = problems(task, answers, expected)
    return {
        "passed": not reasons,
        "loaded": not any(answers["loaders"].values()),
        "loaders": answers["loaders"],
        "reasons": reasons,
        "task": name,
        "model_sha256": atomic_files.tree_hash(served),
        "rows": len(questions.rows),
        "cases": list(questions.cases),
        "largest_difference": difference(task, answers, expected),
        **{name: answers.get(name, {}) for name in ("latency", "memory", "seconds")},
    }


def _command(served: Path, folder: Path) -> list[str]:
    return [str(Path(clean_process.__file__)), str(served), str(folder / ANSWERS), str(folder / WARMUP)]


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # On the processor, as the trained model answered: a GPU multiplies with fewer digits.
    return {"TF_CPP_MIN_LOG_LEVEL": "2", **environment, "CUDA_VISIBLE_DEVICES": "-1"}


def _started(served: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Python without our path, our environment or our modules; it loads TensorFlow while questions are prepared."""
    return subprocess.Popen(
        [sys.executable, "-I", *_command(served, folder)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_environment(),
    )


def _forked(kept: str, asked: bytes, served: Path, folder: Path) -> tuple[int, bytes]:
    """The same from a process that has loaded TensorFlow beforehand; how it ended and what it said."""
    with tempfile.TemporaryFile() as questions, tempfile.TemporaryFile() as said:
        questions.write(asked)
        questions.seek(0)
        streams = [questions.fileno(), said.fileno()]
        with warm_process.program(kept, _command(served, folder), _environment(), str(folder), streams) as told:
            end, pid, status = time.monotonic() + SECONDS, told.recv(), -signal.SIGKILL
            try:
                if not told.poll(max(end - time.monotonic(), 0)):
                    raise subprocess.TimeoutExpired(clean_process.__file__, SECONDS)
                status = os.waitstatus_to_exitcode(told.recv()["status"])
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        said.seek(0)
        return status, said.read()


def _answers(asked: subprocess.Popen[bytes] | str, questions: Questions, served: Path, folder: Path) -> dict[str, Any]:
    """What the process has found out. Its own end is nothing that the model has done: it fails this step."""
    path, document = folder / ANSWERS, pickle.dumps(questions.document)
    try:
        if isinstance(asked, str):
            status, said = _forked(asked, document, served, folder)
        else:
            _, said = asked.communicate(document, timeout=SECONDS)
            status = asked.returncode
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(_unknown(f"had not answered after {SECONDS} seconds")) from error
    except (EOFError, OSError) as error:
        raise RuntimeError(_unknown(f"could not be had ({error})")) from error
    words = said.decode(errors="replace")
    sys.stderr.write(words)
    if status < 0:
        killer = signal.Signals(-status).name
        raise RuntimeError(_unknown(f"was killed by {killer} (memory may have run out)"))
    if status:
        last = (words.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(_unknown(f"ended with status {status}: {last}"))
    found: dict[str, Any] = pickle.loads(path.read_bytes())
    path.unlink()
    return found


def _unknown(end: str) -> str:
    return (
        f"The clean process in which the exported model is tried out {end}. So nothing is known of the model. "
        "See that the machine has memory, disk and time for it, then give the same command again."
    )


def trained(model: Path, ids: list[int]) -> np.ndarray:
    """What the model answered to these first rows of the test split when its training was over."""
    rows, answers = trained_answers.read(model / trained_answers.FILE)
    if rows[: len(ids)].tolist() != ids:
        raise RuntimeError("The model was trained beside other test rows than those of this run. Run again.")
    numbers = answers.ndim == 2 and answers.shape[1] == 1
    return answers[: len(ids), 0] if numbers else answers[: len(ids)]


def problems(task: Task, answers: Mapping[str, Any], expected: np.ndarray) -> list[str]:
    """Why the model cannot be served."""
    found = list(_unanswered(answers["loaders"]))
    if answers["ours"]:
        found.append(f"Loading the exported model imported {', '.join(answers['ours'])}, which no server has.")
    found += _not_as_trained(task, answers, expected)
    for title, case in answers["cases"].items():
        found.extend(_awkward(title, case))
    return found


def _unanswered(loaders: Mapping[str, str]) -> Iterator[str]:
    answering = [f" It does through {LOADERS[loader]}." for loader, error in loaders.items() if not error]
    for loader, error in loaders.items():
        if error:
            yield f"The exported model does not answer through {LOADERS[loader]}: {error}.{''.join(answering)}"


def _not_as_trained(task: Task, answers: Mapping[str, Any], expected: np.ndarray) -> Iterator[str]:
    for asked, name, received, wanted in _pairs(task, answers, expected):
        if received.shape != wanted.shape or not np.allclose(received, wanted, rtol=CLOSE, atol=CLOSE, equal_nan=True):
            same = received.shape == wanted.shape
            how = f"a difference of {np.abs(received - wanted).max():g}" if same else f"the shape {received.shape}"
            whose = "the trained model" if name == main_output(task) else f"{SIGNATURES[0]}, asked {THOUSAND}"
            yield (
                f"The signature {asked}, gives another {name} than {whose}. Expected equal values to {CLOSE:g}. "
                f"Received: {how}."
            )


def difference(task: Task, answers: Mapping[str, Any], expected: np.ndarray) -> float | None:
    """The largest between any answer to a real row and what is expected of it."""
    found = [np.abs(got - want).max() for *_, got, want in _pairs(task, answers, expected) if got.shape == want.shape]
    return float(max(found)) if found else None


def _pairs(
    task: Task, answers: Mapping[str, Any], expected: np.ndarray
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Who was asked, an output's name, its values and those expected, of the cases that are real rows.

    The trained model has told its main output; the others need only be the same whoever is asked.
    """
    whole = answers["cases"].get(THOUSAND, {"error": "not asked"})
    wanted = {} if whole["error"] else {name: np.concatenate(v) for name, v in whole[SIGNATURES[0]].items()}
    wanted = {name: values[: len(expected)] for name, values in wanted.items() if values.dtype.kind == "f"}
    wanted[main_output(task)] = expected
    for title in (SINGLE, THOUSAND, BY_SESSION):
        case = answers["cases"].get(title, {"error": "not asked"})
        for signature in () if case["error"] else SIGNATURES:
            for name, values in wanted.items():
                received = np.concatenate(case[signature][name])
                repeated = np.resize(values, (len(received), *values.shape[1:]))
                yield f"{signature}, asked {title}", name, received, repeated


def _awkward(title: str, case: Mapping[str, Any]) -> Iterator[str]:
    """No errors, finite numbers, and the same from both signatures."""
    if case["error"]:
        yield f"Asked {title}, the exported model fails: {case['error']}."
        return
    by_example, by_name = ({name: np.concatenate(v) for name, v in case[s].items()} for s in SIGNATURES)
    for name, values in by_example.items():
        if values.dtype.kind != "f":
            continue
        if not np.isfinite(values).all():
            worst = values[~np.isfinite(values)][0]
            yield f"Asked {title}, the exported model's {name} is no finite number: {worst:g}."
        elif not np.allclose(values, by_name[name], rtol=CLOSE, atol=CLOSE):
            yield f"Asked {title}, the two signatures answer differently: {name} {values.flat[0]:g} by serving_default."
