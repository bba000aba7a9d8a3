"""A soak: runs killed in every step, fits of all models interrupted, files mutated, rivals racing.

Each case has a seed and can be repeated by it.

    make soak                                     300 kills, 1,000 files, 100 races, each model's fit 4 times
    make soak SOAK="--kills 12 --files 200 --races 10 --fits 0 --jobs 2"
    make soak SOAK="--seed 100007"                exactly that one again; what it worked in is kept

Prints a line for each case and a table in the end; exits with 1 if any promise was broken. docs/reliability.md says
what the promises are.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

import files
import fits
import kills
import races

from pipelines import lazy_imports

# A seed says by its size which kind of case it is.
KINDS = {
    "files": (0, files.case),
    "kills": (100_000, kills.case),
    "races": (200_000, races.case),
    "fits": (300_000, fits.case),
}


def main() -> int:
    lazy_imports.install()  # a task's file imports TensorFlow, which nothing here has a use for
    asked = parser().parse_args()
    home = Path(tempfile.mkdtemp(prefix="sluice-soak-"))
    print(f"working in {home}")
    if asked.seed is not None:
        return 0 if tried(asked.seed, home, keep=True) else 1
    began, broken, table = time.monotonic(), [], []
    for kind, (first, _) in KINDS.items():
        seeds = range(first + asked.after, first + asked.after + getattr(asked, kind))
        start = time.monotonic()
        with multiprocessing.get_context("fork").Pool(asked.jobs) as jobs:
            held = jobs.map(functools.partial(tried, home=home, keep=False), seeds, chunksize=1)
        lost = [seed for seed, well in zip(seeds, held, strict=True) if not well]
        broken += lost
        table.append((kind, len(seeds), len(lost), time.monotonic() - start))
    for name in ("reference", "fits"):
        shutil.rmtree(home / name, ignore_errors=True)
    print(f"\n{'kind':<8}{'cases':>8}{'broken':>8}{'seconds':>9}")
    for kind, count, lost_count, seconds in table:
        print(f"{kind:<8}{count:>8}{lost_count:>8}{seconds:>9.0f}")
    print(f"{time.monotonic() - began:.0f} s; broken: {', '.join(map(str, broken)) or 'none'}")
    return 1 if broken else 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, count in (("kills", 300), ("files", 1000), ("races", 100), ("fits", len(fits.cases()))):
        made.add_argument(f"--{kind}", type=int, default=count, metavar="N", help="default: %(default)s")
    made.add_argument("--jobs", type=int, default=1, metavar="N", help="how many cases at a time; default: 1")
    made.add_argument("--after", type=int, default=0, metavar="N", help="leave out so many of each kind's first seeds")
    made.add_argument("--seed", type=int, help="repeat the case of this seed, and nothing else")
    return made


def tried(seed: int, home: Path, *, keep: bool) -> bool:
    """Whether the case of the seed kept every promise."""
    kind, (_, case) = max((entry for entry in KINDS.items() if entry[1][0] <= seed), key=lambda entry: entry[1][0])
    place = home / str(seed)
    place.mkdir()
    try:
        did, held = case(seed, place), True
    except Exception:  # whatever it is, it is a finding, and the others go on
        did, held = traceback.format_exc(), False
    print(f"{kind[:-1]} {seed}: {'held' if held else 'BROKEN'}: {did}", flush=True)
    if held and not keep:
        shutil.rmtree(place)
    return held


if __name__ == "__main__":
    sys.exit(main())
