"""`sluice predict`."""

from __future__ import annotations

import argparse
import signal
import sys

import tasks
from components.storage.local_paths import local_path
from pipelines import lazy_imports
from pipelines.native_output import only_our_words

# What TensorFlow and pyarrow import where they find it, and a pushed model does not need: half of the time to start.
NEEDLESS = ("keras", "pandas", "h5py", "googleapiclient")


def main(given: argparse.Namespace) -> int:
    tasks.check_name(given.task)
    lazy_imports.load("numpy")  # sure to be needed, so not as a placeholder
    from components.predict import predict

    tasks.get(given.task)  # with all that it imports
    asked = given.files or ["-"]
    if "-" in asked and sys.stdin.isatty():
        print("Reading rows from the keyboard; end them with Ctrl-D.", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that nothing half-written is left
    with only_our_words(), lazy_imports.without(*NEEDLESS):
        rows, bad = predict.run(
            task=given.task, given=asked, serving=str(given.serving_dir), version=given.version,
            output=local_path(given.output) if given.output else None, stdout=sys.stdout.buffer,
            key=given.id, with_inputs=given.with_inputs,
        )  # fmt: skip
    if bad:
        counted, it = (f"{bad:,} of {rows:,} rows", "each") if rows > 1 else ("The one row", "it")
        print(f"sluice: {counted} could not be answered; {it} says why in its own line.", file=sys.stderr)
    return 1 if bad else 0
