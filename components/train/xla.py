"""Whether XLA compiles the steps of a fit on a CPU, where the task does not say so."""

from __future__ import annotations

import keras

# Known to be compiled to something faster. Convolutions are not: a small network of them took 70 s to compile, and five
# times as long for a step. Code that is not Keras' own may not compile at all.
LAYERS = frozenset(
    {
        "Activation", "Add", "BatchNormalization", "Concatenate", "Dense", "Dropout", "Embedding", "Flatten",
        "GlobalAveragePooling1D", "GlobalMaxPooling1D", "InputLayer", "LayerNormalization", "ReLU", "Rescaling",
        "Reshape",
    }
)  # fmt: skip
# With fewer weights, a step takes no less time. With less work (weights times rows of all epochs), the fit is over
# before it has earned the second or two of the compilation.
WEIGHTS, WORK = 50_000, 1e10


def pays(model: keras.Model, rows: int) -> bool:
    """Whether a fit of so many rows, those of all epochs, ends earlier when its steps are compiled."""
    operations = [model, *getattr(model, "operations", model.layers)]
    if any(type(one).__module__.partition(".")[0] != "keras" for one in operations):
        return False
    known = all(type(one).__name__ in LAYERS for one in operations[1:])
    weights = model.count_params()
    return known and weights >= WEIGHTS and weights * rows >= WORK
