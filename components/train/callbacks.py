"""What happens between epochs: progress, and the ratio of validation to training loss."""

from __future__ import annotations

import time

import keras

from components.progress import say


class Progress(keras.callbacks.Callback):
    """Says each epoch's numbers, and within a long epoch how far it is."""

    def __init__(self, epochs: int, steps: int) -> None:
        super().__init__()
        self.epochs, self.steps = epochs, steps
        self.epoch, self.said = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if time.monotonic() - self.said > 2:
            self._say(f"step {batch + 1}/{self.steps}", {"loss": logs["loss"]} if logs else {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if time.monotonic() - self.said > 0.2 or epoch + 1 == self.epochs:
            self._say("", logs or {})

    def _say(self, where: str, numbers: dict[str, float]) -> None:
        said = [f"epoch {self.epoch + 1}/{self.epochs}", *([where] if where else [])]
        shown = {name: value for name, value in numbers.items() if name != "learning_rate"}
        say("  ".join(said + [f"{name} {value:.4g}" for name, value in shown.items()]))
        self.said = time.monotonic()


class LossRatio(keras.callbacks.Callback):
    """Adds val_loss / loss to the curves: above 1 and rising is overfitting."""

    NAME = "val_loss_ratio"

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if logs and logs.get("val_loss") is not None and logs["loss"]:
            logs[self.NAME] = logs["val_loss"] / logs["loss"]
