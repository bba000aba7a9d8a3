"""The training step as a process of its own, with as many devices as asked for: run by test_devices.py."""

from __future__ import annotations

import argparse
import dataclasses
import sys

import tensorflow as tf


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("examples", "graph", "model"):
        parser.add_argument(name)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--kill-after", type=int, default=0)
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    if given.devices > 1:
        several = [tf.config.LogicalDeviceConfiguration()] * given.devices
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], several)

    import keras

    import tasks
    from components.train import step as train
    from tasks import Model, Train

    def build() -> keras.Model:
        inputs = keras.Input((9,), name="features")
        x = keras.layers.Dense(16, activation="relu")(inputs)
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dropout(given.dropout)(x)))

    class Kill(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if epoch + 1 == given.kill_after:
                sys.exit(9)

    cars = tasks.get("auto_mpg")
    settings = Train(epochs=4, batch_size=32, learning_rate=0.01, patience=3, callbacks=lambda: [Kill()])
    task = dataclasses.replace(cars, models={"mlp": Model(build, settings)})
    tasks.get = lambda name: task
    train.run(
        task="auto_mpg",
        model_name="mlp",
        settings=dict(word.split("=") for word in given.set),
        seed=1,
        examples=given.examples,
        transform_graph=given.graph,
        model=given.model,
    )


main()
