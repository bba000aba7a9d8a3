"""A program that runs a small pipeline through the local runner: python small_pipeline.py RUNS [name=value ...]."""

import json
import sys
from pathlib import Path
from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Artifact, Input, Metrics, Output

from pipelines import compiled_graph
from pipelines.local.dry_run import preview
from pipelines.local.progress_display import Display
from pipelines.local.run import run

step = dsl.component(base_image="none", install_kfp_package=False)


@step
def look(number: int) -> int:
    return number


@step
def halve(number: int, notes: str, half: Output[Artifact]):
    import pathlib

    with (pathlib.Path(notes) / "halve").open("a") as file:
        file.write("ran\n")
    pathlib.Path(half.path).write_text(str(number // 2))


@step
def work(
    rounds: int, notes: str, half: Input[Artifact], done: Output[Artifact], metrics: Output[Metrics]
) -> NamedTuple("Worked", [("total", int)]):
    import errno
    import os
    import pathlib
    import sys
    import tempfile
    import time

    from tasks import InputError

    if False:
        import tensorflow  # noqa: F401 (this makes the step a heavy one)

    directory = pathlib.Path(done.path)
    directory.mkdir(exist_ok=True)
    begun = len(list(directory.iterdir()))
    with (pathlib.Path(notes) / "work").open("a") as file:
        file.write(f"{os.getpid()} from {begun} warm {'colorsys' in sys.modules} temporary {tempfile.gettempdir()}\n")
    match os.environ.get("SMALL_TROUBLE"):
        case "value":
            raise ValueError("The number is odd. Expected an even one.")
        case "input":
            raise InputError("There is no such file.")
        case "type":
            raise TypeError("not a number")
        case "crash":
            os._exit(7)
        case "full":
            raise OSError(errno.ENOSPC, "No space left on device")
        case "child":
            os.system("sleep 60 &")
    for number in range(begun, rounds):
        print(f"» round {number + 1}/{rounds}", flush=True)
        (directory / str(number)).write_text(pathlib.Path(half.path).read_text())
        time.sleep(0.1)
    metrics.log_metric("rounds", rounds)
    return (rounds,)


@step
def report(run: str, total: int, done: Input[Artifact]) -> str:
    import pathlib

    return f"{run} made {total} of {len(list(pathlib.Path(done.path).iterdir()))}"


@dsl.pipeline(name="small")
def small(notes: str, number: int = 4, rounds: int = 2):
    looked = look(number=number).set_caching_options(False)
    halved = halve(number=looked.output, notes=notes)
    worked = work(rounds=rounds, notes=notes, half=halved.outputs["half"])
    report(
        run=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, total=worked.outputs["total"], done=worked.outputs["done"]
    ).set_caching_options(False)


@dsl.pipeline(name="twins")
def twins(notes: str, rounds: int = 2, more: int = 3):
    """Two steps need the same, and nothing of each other."""
    halved = halve(number=4, notes=notes)
    work(rounds=rounds, notes=notes, half=halved.outputs["half"])
    work(rounds=more, notes=notes, half=halved.outputs["half"])


def main(runs: str, *words: str) -> int:
    arguments = {
        "notes": runs,
        **{name: json.loads(value) for name, _, value in (word.partition("=") for word in words)},
    }
    use_cache, dry = not arguments.pop("fresh", False), arguments.pop("dry", False)
    compiled = compiled_graph.read(compiled_graph.spec(twins if arguments.pop("twins", False) else small))
    if dry:
        for planned in preview(compiled, arguments, Path(runs), use_cache=use_cache, display=Display(quiet=True)):
            print(f"{planned.name}: {planned.status}: {planned.why}")
        return 0
    result = run(compiled, arguments, Path(runs), use_cache=use_cache, preload=("colorsys", "kfp.dsl.executor"))
    print(result.trouble, file=sys.stderr)
    return result.status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
