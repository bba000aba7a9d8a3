"""What training runs on: one device, all of a machine's, or those of several machines; and what was made of it."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tasks import InputError, Train


@dataclass(frozen=True, kw_only=True)
class Devices:
    """The devices of all replicas; `strategy` is None for a single one."""

    names: tuple[str, ...]
    strategy: tf.distribute.Strategy | None = None
    workers: int = 1
    chief: bool = True
    precision: str = "float32"

    @property
    def replicas(self) -> int:
        return 1 if self.strategy is None else int(self.strategy.num_replicas_in_sync)

    @property
    def accelerated(self) -> bool:
        return any(name.startswith("GPU") for name in self.names)

    def scope(self) -> AbstractContextManager[Any]:
        """Where a model, its optimizer and its metrics get their variables."""
        return nullcontext() if self.strategy is None else self.strategy.scope()

    def batch(self, train: Train) -> int:
        """Rows in a step of all replicas together."""
        return train.batch_size * (self.replicas if train.scale_batch else 1)

    def facts(self, train: Train) -> dict[str, Any]:
        """For training.json."""
        return {
            "devices": list(self.names),
            "replicas": self.replicas,
            "workers": self.workers,
            "batch": self.batch(train),
            "precision": self.precision,
        }


ONE = Devices(names=("CPU",))


def prepare(train: Train) -> Devices:
    """Take what is there, tell what it is, and set the precision; before anything else is done with TensorFlow."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Refused when the process has used them already; they have their memory then.
        if not tf.config.experimental.get_memory_growth(gpu):
            tf.config.experimental.set_memory_growth(gpu, True)
    precision = "mixed_float16" if train.mixed_precision and gpus else "float32"
    keras.mixed_precision.set_global_policy(precision)
    found = _workers(precision) or _local(precision)
    print(told(found, train), flush=True)
    return found


def told(found: Devices, train: Train) -> str:
    where = f" on {found.workers} workers" if found.workers > 1 else ""
    words = [f"devices: {', '.join(found.names)}{where}", f"batch {found.batch(train)}", found.precision]
    if found.replicas > 1:
        words.insert(1, f"{found.replicas} replicas")
    if train.mixed_precision and found.precision == "float32":
        words.append("mixed precision was asked for and needs a GPU")
    return "; ".join(words)


def _local(precision: str) -> Devices:
    logical = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = tuple(device.name.removeprefix("/device:") for device in logical)
    if len(names) == 1:
        return Devices(names=("CPU",) if names[0].startswith("CPU") else names, precision=precision)
    return Devices(names=names, strategy=tf.distribute.MirroredStrategy(list(names)), precision=precision)


def _workers(precision: str) -> Devices | None:
    """All workers of the cluster that TF_CONFIG names; None where it names no other."""
    cluster = read_cluster(os.environ.get("TF_CONFIG", ""))
    if cluster is None:
        return None
    addresses, chief = cluster
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    kinds = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    local = strategy.num_replicas_in_sync // len(addresses)
    names = tuple(f"{kinds}:{number} of {address}" for address in addresses for number in range(local))
    return Devices(names=names, strategy=strategy, workers=len(addresses), chief=chief, precision=precision)


def is_chief() -> bool:
    """Whether this process is the one that writes; known before TensorFlow begins."""
    cluster = read_cluster(os.environ.get("TF_CONFIG", ""))
    return cluster is None or cluster[1]


def read_cluster(text: str) -> tuple[list[str], bool] | None:
    """The workers' addresses, and whether this process is the one that writes."""
    try:
        config = json.loads(text or "{}")
        cluster, task = config.get("cluster", {}), config.get("task", {})
        addresses = [address for kind in ("chief", "worker") for address in cluster.get(kind, ())]
        writes = ("chief" if cluster.get("chief") else "worker", 0)
        chief = (task.get("type"), int(task.get("index", 0))) == writes
        return (addresses, chief) if len(addresses) > 1 else None
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(f"TF_CONFIG is JSON with a cluster and a task. Received: {text!r}.") from error
