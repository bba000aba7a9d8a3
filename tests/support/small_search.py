"""A program that searches with fits of a second, which need no TensorFlow: python small_search.py RUNS TRIALS JOBS."""

import sys
from pathlib import Path

from kfp import dsl
from kfp.dsl import Artifact, Output

from pipelines import compiled_graph
from pipelines.local.progress_display import Display
from pipelines.local.side_by_side import Workers
from pipelines.trials import study
from pipelines.trials.conduct import Conductor
from pipelines.trials.space import Axis
from pipelines.trials.watched_metric import Watched

EPOCHS = 6
RATE = Axis(key="train.rate", kind="float", low=0.01, high=100.0, log=True)


@dsl.component(base_image="none", install_kfp_package=False)
def train(name: str, rate: float, epochs: int, model: Output[Artifact]):
    import json
    import pathlib
    import time

    place = pathlib.Path(model.path)
    place.mkdir(exist_ok=True)
    history = []
    if name == "bad":
        raise ValueError("The loss is no number.")
    for epoch in range(epochs):
        history.append(rate / (epoch + 1))
        (place / "next").write_text(json.dumps({"val_loss": history}))
        (place / "next").rename(place / "history.json")
        print(f"» epoch {epoch + 1}/{epochs}", flush=True)
        time.sleep(0.15)
    (place / "training.json").write_text(json.dumps({"watched_metrics": {"loss": history[-1]}}))


@dsl.pipeline(name="fits")
def fits(model: str, rate: float, epochs: int = EPOCHS):
    train(name=model, rate=rate, epochs=epochs)


def graph():
    return compiled_graph.read(compiled_graph.spec(fits))


def conduct(runs: Path, trials: int, jobs: int = 1, model: str = "good", **options):
    """The search's study, and what conducted it, when it has ended."""
    place = runs / "searches" / "fits-1"
    place.mkdir(parents=True, exist_ok=True)
    with study.alone(place), Workers(jobs, runs, graph, preload=("kfp.dsl.executor",)) as workers:
        known = study.opened(place, higher=False, seed=1, epochs=EPOCHS)
        given = {
            "ask": lambda trial: {RATE.key: study.suggested(trial, RATE)},
            "filled": lambda chosen: {"model": model, "rate": float(chosen[RATE.key])},
            "output": lambda _: "prediction",
            "epochs": lambda _: EPOCHS,
            "display": Display(),
        }
        conductor = Conductor(known, workers, Watched("loss"), trials, **{**given, **options})
        conductor.run()
    return known, conductor


if __name__ == "__main__":
    conduct(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
