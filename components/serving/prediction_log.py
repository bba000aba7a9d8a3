"""TF Serving's own records of requests: PredictionLog, in a file of TFRecords. Warm-up requests are of this form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from components.examples.tfrecord import read_records
from components.serving.output_names import DEFAULT_SIGNATURE


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """One request and, where it was kept, its answer. Version 0: the record does not say which one answered."""

    model: str
    version: int
    signature: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def predicted(stream: BinaryIO) -> Iterator[Predicted | None]:
    """Each record; None for one that is no request to predict."""
    # Seconds, as they import TensorFlow; only once there is something to read.
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    def arrays(tensors: Any) -> dict[str, np.ndarray]:
        return {name: tf.make_ndarray(tensor) for name, tensor in tensors.items()}

    for record in read_records(stream):
        try:
            log = PredictionLog.FromString(record)
            request, response = log.predict_log.request, log.predict_log.response
            inputs, outputs = arrays(request.inputs), arrays(response.outputs)
        except (DecodeError, TypeError, ValueError):  # no record, or tensors that are none
            yield None
            continue
        # The answer tells the version where the request asked for the newest one.
        specs = (response.model_spec, request.model_spec, log.log_metadata.model_spec)
        yield (
            Predicted(
                model=next((spec.name for spec in specs if spec.name), ""),
                version=next((spec.version.value for spec in specs if spec.version.value), 0),
                signature=request.model_spec.signature_name or DEFAULT_SIGNATURE,
                inputs=inputs,
                outputs=outputs,
            )
            if inputs
            else None
        )
