"""What several tests of the trainer need."""

from __future__ import annotations

import pytest
from tensorflow.python.framework import config


@pytest.fixture
def no_op_determinism() -> None:
    """As in a process that has fitted nothing: after a fit without XLA, Keras refuses to compile another with it."""
    config.disable_op_determinism()
