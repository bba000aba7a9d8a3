"""How many bytes an example of a picture takes on disk: as pixels, as a PNG of them, and as the file that came.

.venv/bin/python benchmarks/pictures_on_disk.py --data-dir DIR [--count 10000]
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image as Picture

import tasks
from components.examples.encode import encode
from components.examples.tfrecord import RecordWriter
from components.reading.source_rows import part_batches
from components.reading.sources import source_parts


def on_disk(contents: list[bytes]) -> float:
    """Bytes a picture, in a shard as ingest writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "examples.tfrecord.gz"
        with RecordWriter(path) as writer:
            ids = np.arange(len(contents), dtype=np.uint64)
            writer.write(encode({"picture": pa.array(contents, pa.binary())}, ids))
        return path.stat().st_size / len(contents)


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Picture.fromarray(pixels).save(out, "PNG", optimize=True)
    return out.getvalue()


def contents(task: str, data: str, data_dir: str, count: int) -> list[bytes]:
    definition = tasks.get(task)
    found: list[bytes] = []
    for part in source_parts(definition, data, data_dir):
        for batch in part_batches(part, definition.columns):
            found += batch.columns[definition.features[0].name].to_pylist()
            if len(found) >= count:
                return found[:count]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--count", type=int, default=10_000)
    args = parser.parse_args()
    clothes = contents("fashion_mnist", "real", args.data_dir, args.count)
    grey = [np.frombuffer(each, np.uint8).reshape(28, 28) for each in clothes]
    files = contents("flowers", "sample", "", args.count)
    colour = [np.asarray(Picture.open(io.BytesIO(each)).convert("RGB")) for each in files]
    print("| bytes a picture, on disk | as pixels | as PNG | as the file that came |\n|---|---|---|---|")
    print(f"| fashion_mnist, 28 by 28 | {on_disk(clothes):,.0f} | {on_disk([*map(png, grey)]):,.0f} | |")
    shown = [on_disk([each.tobytes() for each in colour]), on_disk([*map(png, colour)]), on_disk(files)]
    print(f"| flowers' drawings, 60 to 140 wide | {' | '.join(f'{each:,.0f}' for each in shown)} |")


if __name__ == "__main__":
    main()
