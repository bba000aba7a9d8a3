"""A client of a served model, as a program of its own: python -I client.py MODEL ANSWERS WARMUP < QUESTIONS.

It knows TensorFlow and nothing of ours. QUESTIONS and ANSWERS are pickles of plain dicts and arrays; WARMUP becomes
the file of requests that TF Serving sends to a model before it lets anybody else.
"""

from __future__ import annotations

import importlib
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

Row = Mapping[str, Any]
AnyRow = TypeVar("AnyRow", bound=Row)

ONE, MANY = 1, 1000
# At least and at most so many calls, and no more once so many seconds are over.
CALLS = {ONE: (10, 100, 0.3), MANY: (1, 5, 0.2)}
WARMUP_SIZES = (1, 32)
MISSING = {"float": float("nan"), "int": -1, "bytes": b""}
SIGNATURES = ("serving_default", "features")
# The title of what the second loader was asked.
BY_SESSION = "by the session loader"
OURS = ("components", "pipelines", "sluice", "tasks", "transforms")


class PythonClient:
    """Asks both signatures of a model that Python's loader has read."""

    def __init__(self, tf: Any, path: str) -> None:
        self.model = tf.saved_model.load(path)
        self.signatures = {name: self.model.signatures[name] for name in SIGNATURES}

    def ask(self, signature: str, requests: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values.numpy() for name, values in self.signatures[signature](**requests).items()}


class SessionClient:
    """The same as TensorFlow Serving, Java, C and Go do it: a graph in a session, which knows no Python objects."""

    def __init__(self, tf: Any, path: str) -> None:
        graph = tf.Graph()
        self.session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            self.signatures = tf.compat.v1.saved_model.load(self.session, ["serve"], path).signature_def

    def ask(self, signature: str, requests: Mapping[str, Any]) -> dict[str, Any]:
        inputs, outputs = self.signatures[signature].inputs, self.signatures[signature].outputs
        feed = {inputs[name].name: values.numpy() for name, values in requests.items()}
        answer: dict[str, Any] = self.session.run({name: output.name for name, output in outputs.items()}, feed)
        return answer


class Requests:
    """Rows as a signature takes them: serialized tf.Examples, or a tensor for each feature."""

    def __init__(self, tf: Any, kinds: Mapping[str, str]) -> None:
        self.tf, self.kinds = tf, kinds

    def __call__(self, signature: str, rows: Sequence[Row]) -> dict[str, Any]:
        if signature == "serving_default":
            return {"examples": self.tf.constant([self._example(row) for row in rows], self.tf.string)}
        dtypes = {"float": self.tf.float32, "int": self.tf.int64, "bytes": self.tf.string}
        return {
            name: self.tf.constant([row.get(name, MISSING[kind]) for row in rows], dtypes[kind])
            for name, kind in self.kinds.items()
        }

    def _example(self, row: Row) -> bytes:
        example = self.tf.train.Example()
        for name, value in row.items():
            feature = example.features.feature[name]
            lists = {"float": feature.float_list, "int": feature.int64_list, "bytes": feature.bytes_list}
            lists[self.kinds[name]].value.append(value)
        return bytes(example.SerializeToString())


def main(path: str, answers: str, warmup: str) -> None:
    began = time.perf_counter()
    # By name: the step that starts this program does not import TensorFlow, and nothing should think so.
    tf = importlib.import_module("tensorflow")
    seconds = {"import": time.perf_counter() - began}
    tf.get_logger().setLevel("ERROR")  # that the session loader is an old way need not be told
    questions = pickle.load(sys.stdin.buffer)
    requests = Requests(tf, questions["kinds"])
    found: dict[str, Any] = {"cases": {}, "loaders": {}, "seconds": seconds}
    for loader, ask in (("python", ask_by_python), ("session", ask_by_session)):
        began = time.perf_counter()
        try:
            found["loaders"][loader] = ask(requests, path, questions, warmup, found)
        except Exception as error:  # whatever a model may raise is an answer too
            if is_accident(tf, error):
                raise
            found["loaders"][loader] = sentence(error)
        seconds[loader] = time.perf_counter() - began
    found["ours"] = sorted(name for name in sys.modules if name.partition(".")[0] in OURS)
    Path(answers).write_bytes(pickle.dumps(found))


def ask_by_python(
    requests: Requests, path: str, questions: Mapping[str, Any], warmup: str, found: dict[str, Any]
) -> str:
    """All questions; and if none fails, the measures and the warm-up file."""
    before, began = mib("VmRSS"), time.perf_counter()
    client = PythonClient(requests.tf, path)
    found["seconds"]["load"] = time.perf_counter() - began
    memory = {"tensorflow_mib": before, "model_mib": mib("VmRSS") - before}
    found["cases"] = {title: answered(client, requests, rows) for title, rows in questions["cases"].items()}
    if not any(case["error"] for case in found["cases"].values()):
        found["latency"] = {size: latency(client, requests, questions["rows"], size) for size in CALLS}
        write_warmup(requests, questions["task"], questions["rows"], warmup)
    found["memory"] = memory | {"peak_mib": mib("VmHWM")}
    return ""


def ask_by_session(
    requests: Requests, path: str, questions: Mapping[str, Any], warmup: str, found: dict[str, Any]
) -> str:
    """As many real rows as a warm-up request has: whether all variables and tables are found, one request tells."""
    case = answered(SessionClient(requests.tf, path), requests, [repeated(questions["rows"], max(WARMUP_SIZES))])
    if not case["error"]:
        found["cases"][BY_SESSION] = case
    return str(case["error"])


def is_accident(tf: Any, error: Exception) -> bool:
    """The machine's doing and not the model's: it lacks memory, disk, files or threads, or cannot read them."""
    if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError) or getattr(error, "errno", None) is not None:
        return True
    return any(words in str(error) for words in ("bad_alloc", "can't start new thread"))


def answered(
    client: PythonClient | SessionClient, requests: Requests, batches: Sequence[Sequence[Row]]
) -> dict[str, Any]:
    """What both signatures say to each batch, one after the other."""
    answers: dict[str, Any] = {"error": ""}
    for signature in SIGNATURES:
        try:
            given = [client.ask(signature, requests(signature, rows)) for rows in batches]
        except Exception as error:
            if is_accident(requests.tf, error):
                raise
            return {"error": f"{signature}: {sentence(error)}"}
        answers[signature] = {name: [each[name] for each in given] for name in given[0]}
    return answers


def latency(client: PythonClient, requests: Requests, rows: Sequence[Row], size: int) -> dict[str, float]:
    """Milliseconds of a call, requests ready made, by the signature that takes tf.Examples."""
    starts = range(0, len(rows), size)[:4]
    batches = [requests("serving_default", repeated(rows, size, start)) for start in starts]
    times = list(timed(lambda call: client.ask("serving_default", batches[call % len(batches)]), *CALLS[size]))
    ordered = sorted(times)
    at = {share: ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000 for share in (0.5, 0.99)}
    return {"p50_ms": at[0.5], "p99_ms": at[0.99], "calls": len(ordered)}


def timed(call: Callable[[int], Any], least: int, most: int, seconds: float) -> Iterator[float]:
    call(0)
    end = time.perf_counter() + seconds
    for number in range(most):
        began = time.perf_counter()
        if number >= least and began > end:
            return
        call(number)
        yield time.perf_counter() - began


def repeated(rows: Sequence[AnyRow], size: int, start: int = 0) -> list[AnyRow]:
    """As many rows as wanted, over and over the same ones."""
    return [rows[(start + at) % len(rows)] for at in range(size)]


def write_warmup(requests: Requests, task: str, rows: Sequence[Row], path: str) -> None:
    """See https://www.tensorflow.org/tfx/serving/saved_model_warmup."""
    apis = importlib.import_module("tensorflow_serving.apis.prediction_log_pb2")
    with requests.tf.io.TFRecordWriter(path) as writer:
        for signature in SIGNATURES:
            for size in WARMUP_SIZES:
                log = apis.PredictionLog()
                request = log.predict_log.request
                request.model_spec.name, request.model_spec.signature_name = task, signature
                for name, tensor in requests(signature, repeated(rows, size)).items():
                    request.inputs[name].CopyFrom(requests.tf.make_tensor_proto(tensor))
                writer.write(log.SerializeToString())


def mib(what: str) -> float:
    """VmRSS, the memory that this process has, or VmHWM, the most it has had; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:")), 0.0)


def sentence(error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first[:500]}"


if __name__ == "__main__":
    main(*sys.argv[1:])
