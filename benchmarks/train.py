"""Rows a second of our trainer and of plain `model.fit` on numpy arrays: the same model, rows, batch and epochs.

Each in a process of its own, in turn; medians of the repeats. The first epoch, in which TensorFlow traces and compiles,
is told by itself ("start s", of ours) and does not count in the rows a second. The loss is that of the last epoch.

.venv/bin/python benchmarks/train.py --data-dir DIR [--repeats N] [--epochs N] [TASK/MODEL ...]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

NAMES = (
    "auto_mpg/mlp", "california_housing/mlp", "fashion_mnist/mlp128", "fashion_mnist/mlp300_100", "imdb_padded/average",
    "fashion_mnist/cnn",
)  # fmt: skip


def prepared(task: str, model: str, data_dir: Path, folder: Path) -> Path:
    """A run's directory, with the examples and the transform graph."""
    command = [sys.executable, "-m", "pipelines", "run", task, "--model", model, "--set", "train.epochs=1", "--no-push"]
    words = ["--data", "real", "--data-dir", str(data_dir), "--json"]
    done = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with exit status {done.returncode}: {done.stderr[-500:]}")
    return folder / "runs" / str(json.loads(done.stdout)["run"])


def fitted(name: str, run: Path, epochs: int, *, ours: bool) -> dict[str, float]:
    """In this process: fit it once, by our trainer or by Keras' own on arrays."""
    import keras

    import tasks
    from components.serving.preprocessing import Preprocessing
    from components.train import optimizer, preprocessed_rows, shuffled_batches
    from components.train import step as trainer

    class Clock(keras.callbacks.Callback):
        ends: list[float]

        def on_train_begin(self, logs: Any = None) -> None:
            self.ends = [time.monotonic()]

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.ends.append(time.monotonic())
            self.loss = float(logs["loss"])

    task_name, _, model_name = name.partition("/")
    task, clock = tasks.get(task_name), Clock()
    train = dataclasses.replace(
        task.models[model_name].train, epochs=epochs, patience=None, keep_best=False, callbacks=lambda: [clock]
    )
    keras.utils.set_random_seed(0)
    graph = str(run / "transform" / "transform_graph")
    splits = tuple(train.fit_on.split("+"))
    rows = preprocessed_rows.load(
        preprocessed_rows.Reader(task, train, Preprocessing(graph)), str(run / "ingest" / "examples"), splits
    )
    model = trainer.build(task, model_name, task.hyperparameters(model_name), rows, graph)
    if ours:
        with tempfile.TemporaryDirectory() as folder:
            trainer.fit(task, model_name, model, train, rows, None, 0, Path(folder))
    else:
        # As whoever writes a notebook has it: Keras' defaults for whatever changes nothing but the speed.
        outputs, steps = task.models[model_name].outputs, math.ceil(rows.count / train.batch_size)
        loss, made = train.loss or optimizer.LOSSES[task.kind], optimizer.optimizer(train, steps)
        model.compile(optimizer=made, loss=loss, metrics=optimizer.WATCHED[task.kind], jit_compile=False)
        gathered = shuffled_batches.example(rows, model, outputs)(range(rows.count))
        inputs, labels = keras.tree.map_structure(lambda tensor: tensor.numpy(), gathered[:2])
        model.fit(inputs, labels, batch_size=train.batch_size, epochs=epochs, callbacks=[clock], verbose=0)
    rest = (clock.ends[-1] - clock.ends[1]) / (epochs - 1)
    return {"rows_a_second": rows.count / rest, "first": clock.ends[1] - clock.ends[0], "loss": clock.loss}


def apart(name: str, run: Path, epochs: int, *, ours: bool) -> dict[str, float]:
    command = [sys.executable, __file__, name, "--run", str(run), "--epochs", str(epochs), "--data-dir", "."]
    done = subprocess.run([*command, *(["--ours"] if ours else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="TASK/MODEL")
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--epochs", type=int, default=6, metavar="N", help="at least 2; default: 6")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.epochs < 2:
        parser.error("the first epoch does not count, so there must be at least 2")
    if given.run:
        print(json.dumps(fitted(given.names[0], given.run, given.epochs, ours=given.ours)))
        return
    print("| task/model | plain rows/s | ours rows/s | ours : plain | start s | plain loss | our loss |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in given.names or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            run = prepared(*name.split("/"), given.data_dir.absolute(), Path(folder))
            pairs = [
                [apart(name, run, given.epochs, ours=ours) for ours in (False, True)] for _ in range(given.repeats)
            ]
        plain, ours = ([pair[at] for pair in pairs] for at in (0, 1))
        speed = [statistics.median(one["rows_a_second"] for one in each) for each in (plain, ours)]
        ratio = statistics.median(b["rows_a_second"] / a["rows_a_second"] for a, b in pairs)
        start, losses = statistics.median(one["first"] for one in ours), (plain[0]["loss"], ours[0]["loss"])
        print(
            f"| {name} | {speed[0]:,.0f} | {speed[1]:,.0f} | {ratio:.2f} | {start:.1f} | {losses[0]:.4f} | "
            f"{losses[1]:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
