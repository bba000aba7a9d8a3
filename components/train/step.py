"""Training: fit one Keras model on the preprocessed rows and export it with its preprocessing inside."""

from __future__ import annotations

import dataclasses
import functools
import math
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import tasks
from components import settings as settings_
from components.progress import say
from components.serving import trained_answers
from components.serving.export import export
from components.serving.preprocessing import Preprocessing, model_inputs
from components.storage.atomic_files import write_json
from components.train import (
    check_output,
    checkpoint_copy,
    devices,
    multi_device_fit,
    preprocess_in_processes,
    preprocessed_rows,
    shuffled_batches,
    tensorboard,
    warm_start,
    xla,
)
from components.train.callbacks import LossRatio, Progress
from components.train.checkpoint import HISTORY, Resume
from components.train.first_test_rows import answered
from components.train.layers import layers
from components.train.optimizer import STEPS_AT_ONCE, build_metrics, compile_model
from tasks import InputError, Task, Train

EVALUATION_BATCH = 1024


def run(
    *,
    task: str,
    model_name: str,
    settings: dict[str, str],
    seed: int,
    start: str = "",
    state: str = "",
    examples: str,
    transform_graph: str,
    model: str,
) -> None:
    definition = tasks.get(task)
    train, hyperparameters = settings_.train_settings(definition, model_name, settings)
    with ExitStack() as meanwhile:
        stays = not state and devices.is_chief()
        folder = meanwhile.enter_context(large_rows_at(Path(model), stays=stays))
        preprocess_in_processes.prepare(
            definition, train, transform_graph, examples, splits_read(definition, train), folder
        )
        found = devices.prepare(train)
        keras.utils.set_random_seed(seed)
        preprocessing = Preprocessing(transform_graph)
        if state:
            of_fit = (task, model_name, settings, seed, start, found.facts(train))
            state = f"{state}/{checkpoint_copy.key(*of_fit, folders=(examples, transform_graph))}"
        directory = meanwhile.enter_context(written_to(Path(model), found))
        fitted, watched = load(definition, train, preprocessing, examples, folder)
        with found.scope():
            built = build(definition, model_name, hyperparameters, fitted, transform_graph)
            warm = warm_start.begin(built, start, transform_graph)
        started = time.monotonic()
        with checkpoint_copy.kept(state, directory / "resume", chief=found.chief):
            resume = fit(definition, model_name, built, train, fitted, watched, seed, directory, found)
        fit_seconds = time.monotonic() - started
        write_model(definition, model_name, built, preprocessing, examples, directory)
        write_json(directory / HISTORY, resume.history)
        facts = {
            **facts_of_fit(resume, fitted, watched),
            **facts_of_model(built),
            **found.facts(train),
            "seed": seed,
            "seconds": round(time.monotonic() - started, 2),
            "fit_seconds": round(fit_seconds, 2),
            "warm_start": warm,
            "settings": {**plain(train), **{f"model.{name}": value for name, value in hyperparameters.items()}},
        }
        write_json(directory / "training.json", facts)
        shutil.rmtree(directory / "resume", ignore_errors=True)


def load(
    task: Task, train: Train, preprocessing: Preprocessing, examples: str, folder: Path
) -> tuple[preprocessed_rows.Rows, preprocessed_rows.Rows | None]:
    """The rows that are fitted, and those that are watched meanwhile, which share the room there is."""
    reader, room = preprocessed_rows.Reader(task, train, preprocessing), preprocessed_rows.Room.of(train, folder)
    fitted, *watched = (preprocessed_rows.load(reader, examples, splits, room) for splits in splits_read(task, train))
    return fitted, watched[0] if watched else None


def splits_read(task: Task, train: Train) -> list[tuple[str, ...]]:
    """The splits whose rows are fitted; then those whose rows are watched, if any are."""
    watches = train.fit_on == "train" and task.splits.fills("eval")
    return [tuple(train.fit_on.split("+")), *([("eval",)] if watches else [])]


@contextmanager
def written_to(model: Path, found: devices.Devices) -> Iterator[Path]:
    """Where this process writes: of several workers, all do the same, and only the chief's is kept."""
    model.mkdir(parents=True, exist_ok=True)
    if found.chief:
        yield model
        return
    with tempfile.TemporaryDirectory() as nowhere:
        if (model / "resume").is_dir():
            shutil.copytree(model / "resume", Path(nowhere) / "resume")
        yield Path(nowhere)


@contextmanager
def large_rows_at(directory: Path, *, stays: bool) -> Iterator[Path]:
    """The folder for rows that memory should not hold. Where the directory may be mounted from afar, it is elsewhere.

    What an interrupted fit has written there stays, so that the next one need not preprocess it again.
    """
    if not stays:
        with tempfile.TemporaryDirectory() as nearby:
            yield Path(nearby)
        return
    yield directory / "rows"
    shutil.rmtree(directory / "rows", ignore_errors=True)


def write_model(
    task: Task, model_name: str, model: keras.Model, preprocessing: Preprocessing, examples: str, directory: Path
) -> None:
    """The trained model as Keras saves it and as it is served, and what it answers to a few test rows."""
    say("exporting")
    model.save(directory / "model.keras")
    answers = answered(task, model_name, model, preprocessing, examples)
    trained_answers.write(directory / trained_answers.FILE, *answers)
    served = export(task, model_name, model, preprocessing, directory / "serving")
    tensorboard.write_samples(task, served.predict, examples, directory / "logs")


def facts_of_fit(
    resume: Resume, fitted: preprocessed_rows.Rows, watched: preprocessed_rows.Rows | None
) -> dict[str, Any]:
    return {
        "epochs": resume.epoch,
        "best_epoch": resume.best_epoch,
        "watched_metrics": at_best_epoch(resume),
        "rows": fitted.count,
        "rows_watched": watched.count if watched else 0,
        "skipped_missing": fitted.skipped,
    }


def facts_of_model(model: keras.Model) -> dict[str, Any]:
    return {
        "xla": bool(model.jit_compile),
        "weights": model.count_params(),
        "layers": layers(model),
        "about": getattr(model, "about", ""),
    }


def at_best_epoch(resume: Resume) -> dict[str, float]:
    """What the watched split's rows gave with the weights that the model ends with; nothing where none is watched."""
    return {
        name.removeprefix("val_"): curve[resume.best_epoch - 1]
        for name, curve in resume.history.items()
        if name.startswith("val_") and name != LossRatio.NAME
    }


def plain(train: Train) -> dict[str, Any]:
    """The settings of a fit as JSON can hold them."""
    values = {field.name: getattr(train, field.name) for field in dataclasses.fields(train)}
    return {f"train.{name}": value for name, value in values.items() if isinstance(value, str | int | float)}


def build(
    task: Task,
    model_name: str,
    hyperparameters: dict[str, Any],
    rows: preprocessed_rows.Rows,
    transform_graph: str = "",
) -> keras.Model:
    """The model, called once on a few rows: so a subclassed one has its weights, and a wrong one is refused."""
    model = make(task, model_name, hyperparameters, transform_graph)
    some, *_ = rows.gather(tf.range(min(rows.count, check_output.ROWS)))
    check_output.check(task, model_name, model(model_inputs(model, some)))
    return model


def make(task: Task, model_name: str, hyperparameters: dict[str, Any], transform_graph: str = "") -> keras.Model:
    model = task.models[model_name].make(transform_graph, **hyperparameters)
    if not isinstance(model, keras.Model):
        raise InputError(
            f"The function of the model {model_name!r} must return it. Expected a keras.Model. Received: {model!r}."
        )
    return model


def fit(
    task: Task,
    model_name: str,
    model: keras.Model,
    train: Train,
    rows: preprocessed_rows.Rows,
    watched: preprocessed_rows.Rows | None,
    seed: int,
    directory: Path,
    found: devices.Devices = devices.ONE,
) -> Resume:
    outputs, batch = task.models[model_name].outputs, found.batch(train)
    steps = math.ceil(rows.count / batch)
    with found.scope():
        compile_model(task, model, train, outputs, steps, found, dense=rows.dense)
    example = shuffled_batches.example(rows, model, outputs)
    if found.strategy is None:
        build_metrics(model, example(tf.range(1)))
    early = None
    if watched is not None and (train.keep_best or train.patience is not None):
        patience = train.epochs if train.patience is None else train.patience
        early = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    resume = Resume(directory / "resume", early, keeps=found.chief)
    first = resume.restore(model)
    epoch = shuffled_batches.Epoch()
    callbacks: list[keras.callbacks.Callback] = [epoch, LossRatio()]
    callbacks += [early] if early else []
    callbacks += [Progress(train.epochs, steps), tensorboard.callback(directory / "logs", train)]
    callbacks += list(train.callbacks()) if train.callbacks else []
    callbacks.append(resume)  # the last: it keeps what the others have done to the model
    say(f"training on {rows.count:,} rows")
    if first >= train.epochs or resume.stopped:
        return resume
    looped = model.jit_compile and rows.dense and not found.accelerated
    # To begin to read costs more than a short epoch: it is done once for all. At the end of a long one it would be too
    # late, as Keras looks only every so many steps; unless what it looks at are blocks of an epoch's own.
    together = found.strategy is None and (looped or steps <= STEPS_AT_ONCE)
    epochs = tf.data.Dataset.range(first, train.epochs) if together else epoch.now
    order = functools.partial(shuffled_batches.order, rows, seed=seed, epochs=epochs)
    held_out = None
    if watched is not None:
        numbers = shuffled_batches.numbers(watched, EVALUATION_BATCH)
        held_out = numbers, shuffled_batches.example(watched, model, outputs)
    if found.strategy is not None:
        multi_device_fit.fit(
            model, found.strategy, order(batch), example, watched=held_out, epochs=train.epochs, first=first,
            callbacks=callbacks,
        )  # fmt: skip
    else:
        if looped:
            batches = in_compiled_blocks(model, rows.count, order, example, batch)
        elif rows.in_blocks:
            batches = shuffled_batches.fed_in_blocks(order, example, batch)
        else:
            batches = shuffled_batches.fed(order(batch), example)
        model.fit(
            batches, steps_per_epoch=steps if together else None, epochs=train.epochs, initial_epoch=first,
            callbacks=callbacks,
            validation_data=shuffled_batches.fed(*held_out) if held_out else None, shuffle=False, verbose=0,
        )  # fmt: skip
    return resume


def in_compiled_blocks(
    model: keras.Model, rows: int, order: shuffled_batches.Order, example: shuffled_batches.Example, batch: int
) -> tf.data.Dataset:
    """What Keras' fit takes, a block of batches at a time; the model makes all steps of one in one go."""
    block = shuffled_batches.batches_in_a_block(order, example, batch)
    model.steps_per_execution = block
    model.train_function = xla.train_function(model, batch, block, rest=rows % batch > 0)
    # Keras counts batches, and would take the number of blocks for theirs.
    return shuffled_batches.fed(order(batch * block, counted=False), example)
