"""IMDB's reviews as TensorFlow Datasets prepares them, learned from by its own splits and by the official ones.

.venv/bin/python benchmarks/prepared_imdb.py --data-dir DIR --prepared /tmp/tfds [--seeds 0 1 2]

The data set is prepared in the folder --prepared, once, from the two tables in --data-dir; whoever has the internet
has the same from `tfds build imdb_reviews --data_dir FOLDER`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

NAME = "tfds:imdb_reviews"
SPLITS = {
    "60/20/20 of train": f"{NAME},train=train[:60%],eval=train[60%:80%],test=train[80%:]",
    "15,000, 10,000 and the official test": f"{NAME},train=train[:60%],eval=train[60%:],test=test",
    "the task's own `real`": "real",
}


def prepare(tables: Path, folder: Path) -> None:
    class ImdbReviews(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """As the registered one, but from the tables in place of the archive."""

        name = "imdb_reviews"
        BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="plain_text", version="1.0.0"),)

        def _info(self) -> Any:
            label = tfds.features.ClassLabel(names=["neg", "pos"])
            features = tfds.features.FeaturesDict({"text": tfds.features.Text(), "label": label})
            return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("text", "label"))

        def _split_generators(self, dl_manager: Any) -> Any:
            return {split: self._generate_examples(tables / f"{split}.csv.gz") for split in ("train", "test")}

        def _generate_examples(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                for number, row in enumerate(csv.DictReader(file)):
                    yield f"{path.name}/{number}", {"text": row["text"].strip(), "label": int(row["label"])}

    ImdbReviews(data_dir=str(folder)).download_and_prepare()


def accuracy(task: str, data: str, seed: int, folder: Path, runs: Path) -> float:
    """Of one whole run into an empty serving directory, so that no champion plays a part."""
    command = [sys.executable, "-m", "pipelines", "run", task, "--seed", str(seed), "--json", "--data", data]
    command += ["--data-dir", str(folder), "--runs", str(runs), "--serving", tempfile.mkdtemp()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with exit status {done.returncode}")
    return float(json.loads(done.stdout)["metrics"]["accuracy"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--task", default="imdb_padded")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    folder = args.prepared.absolute()
    prepare(args.data_dir / "imdb" / "reviews", folder)
    runs = Path(tempfile.mkdtemp())
    print(f"| splits of {args.task} | accuracy, mean | by seed |\n|---|---|---|", flush=True)
    for title, data in SPLITS.items():
        values = [accuracy(args.task, data, seed, folder, runs) for seed in args.seeds]
        shown = ", ".join(f"{value:.4f}" for value in values)
        print(f"| {title} | {sum(values) / len(values):.4f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
