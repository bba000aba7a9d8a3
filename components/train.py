"""Training: fit one Keras model on the preprocessed rows and export it with its preprocessing inside."""

from __future__ import annotations

import dataclasses
import math
import shutil
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

import tasks
from components import feeding, tensorboard
from components import settings as settings_
from components.callbacks import LossRatio, Progress, Resume
from components.export import export
from components.files import write_json
from components.preprocessing import Preprocessing, model_inputs
from components.progress import say
from tasks import Task, Train

EVALUATION_BATCH = 1024
LOSSES = {
    "regression": "mse",
    "binary": "binary_crossentropy",
    "classes": "sparse_categorical_crossentropy",
}  # fmt: skip
WATCHED = {"regression": ["mae"], "binary": ["accuracy"], "classes": ["accuracy"]}


def run(
    *,
    task: str,
    model_name: str,
    settings: dict[str, str],
    seed: int,
    examples: str,
    transform_graph: str,
    model: str,
) -> None:
    definition = tasks.get(task)
    train, hyperparameters = settings_.train_settings(definition, model_name, settings)
    directory = Path(model)
    directory.mkdir(parents=True, exist_ok=True)
    devices = prepare_devices(train)
    keras.utils.set_random_seed(seed)
    preprocessing = Preprocessing(transform_graph)
    fitted = feeding.load(definition, train, preprocessing, examples, tuple(train.fit_on.split("+")))
    watched = None
    if train.fit_on == "train" and definition.splits.eval:
        watched = feeding.load(definition, train, preprocessing, examples, ("eval",))

    built = build(definition, model_name, hyperparameters, fitted, transform_graph)
    started = time.monotonic()
    resume = fit(definition, model_name, built, train, fitted, watched, seed, directory)
    say("exporting")
    built.save(directory / "model.keras")
    served = export(definition, model_name, built, preprocessing, directory / "serving")
    tensorboard.write_samples(definition, served.predict, examples, directory / "logs")
    write_json(directory / "history.json", resume.history)
    write_json(
        directory / "training.json",
        {
            "epochs": resume.epoch,
            "best_epoch": resume.best_epoch,
            "seed": seed,
            "seconds": round(time.monotonic() - started, 2),
            "rows": fitted.count,
            "rows_watched": watched.count if watched else 0,
            "skipped_missing": fitted.skipped,
            "devices": devices,
            "weights": built.count_params(),
            "about": getattr(built, "about", ""),
            "settings": {**plain(train), **{f"model.{name}": value for name, value in hyperparameters.items()}},
        },
    )
    shutil.rmtree(directory / "resume", ignore_errors=True)


def plain(train: Train) -> dict[str, Any]:
    """The settings of a fit as JSON can hold them."""
    values = {field.name: getattr(train, field.name) for field in dataclasses.fields(train)}
    return {f"train.{name}": value for name, value in values.items() if isinstance(value, str | int | float)}


def prepare_devices(train: Train) -> list[str]:
    """Let GPUs take memory as they need it, and say what was found."""
    found = tf.config.list_physical_devices("GPU")
    for gpu in found:
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.mixed_precision.set_global_policy("mixed_float16" if train.mixed_precision and found else "float32")
    names = [gpu.name.removeprefix("/physical_device:") for gpu in found] or ["CPU"]
    print(f"devices: {', '.join(names)}", flush=True)
    return names


def build(
    task: Task, model_name: str, hyperparameters: dict[str, Any], rows: feeding.Rows, transform_graph: str = ""
) -> keras.Model:
    """The model, called once on a few rows so that a subclassed one has its weights."""
    model = task.models[model_name].make(transform_graph, **hyperparameters)
    some, *_ = rows.gather(tf.range(min(rows.count, 2)))
    outputs = model(model_inputs(model, some))
    declared = task.models[model_name].outputs
    if (set(outputs) if isinstance(outputs, dict) else 1) != (set(declared) if len(declared) > 1 else 1):
        received = list(outputs) if isinstance(outputs, dict) else "one tensor"
        raise ValueError(f"Model {model_name!r} declares the outputs {list(declared)}. Received: {received}.")
    return model


def fit(
    task: Task,
    model_name: str,
    model: keras.Model,
    train: Train,
    rows: feeding.Rows,
    watched: feeding.Rows | None,
    seed: int,
    directory: Path,
) -> Resume:
    outputs = task.models[model_name].outputs
    steps = math.ceil(rows.count / train.batch_size)
    compile_(task, model, train, outputs, steps)
    early = None
    if train.patience is not None and watched is not None:
        early = keras.callbacks.EarlyStopping("val_loss", patience=train.patience, restore_best_weights=True)
    resume = Resume(directory / "resume", early)
    first = resume.restore(model)
    epoch = feeding.Epoch()
    callbacks: list[keras.callbacks.Callback] = [epoch, LossRatio()]
    callbacks += [early] if early else []
    callbacks += [resume, Progress(train.epochs, steps), tensorboard.callback(directory / "logs", train)]
    callbacks += list(train.callbacks()) if train.callbacks else []
    held_out = None
    if watched is not None:
        held_out = feeding.in_order(watched, feeding.example(watched, model, outputs), EVALUATION_BATCH)
    say(f"training on {rows.count:,} rows")
    if first < train.epochs and not resume.stopped:
        model.fit(
            feeding.batches(rows, train.batch_size, feeding.example(rows, model, outputs), seed=seed, epoch=epoch),
            epochs=train.epochs,
            initial_epoch=first,
            validation_data=held_out,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    return resume


def compile_(task: Task, model: keras.Model, train: Train, outputs: tuple[str, ...], steps: int) -> None:
    metrics: Any = WATCHED[task.kind]
    loss: Any = train.loss or LOSSES[task.kind]
    if len(outputs) > 1:
        metrics, loss = {outputs[0]: metrics}, dict.fromkeys(outputs, loss)
    model.compile(
        optimizer=optimizer(train, steps),
        loss=loss,
        loss_weights=dict(train.loss_weights) if train.loss_weights else None,
        weighted_metrics=metrics if train.class_weights or train.sample_weight else None,
        metrics=None if train.class_weights or train.sample_weight else metrics,
        steps_per_execution=min(steps, 64),
    )
    model.optimizer.build(model.trainable_variables)
    if not model.jit_compile and not tf.config.list_physical_devices("GPU"):
        # Compiled by XLA, a CPU gives the same numbers each time (and is twice as fast); otherwise it must be told to.
        tf.config.experimental.enable_op_determinism()


def optimizer(train: Train, steps: int) -> keras.optimizers.Optimizer:
    made = keras.optimizers.get(train.optimizer)
    rate: Any = float(made.learning_rate) if train.learning_rate is None else train.learning_rate
    if train.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps * train.epochs)
    elif train.schedule == "exponential":
        rate = keras.optimizers.schedules.ExponentialDecay(rate, steps, 0.95)
    return type(made).from_config({**made.get_config(), "learning_rate": rate})
