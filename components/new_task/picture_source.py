"""The file of a new task for pictures in folders, as Python."""

from __future__ import annotations

import shlex
import textwrap

from components.new_task.picture_guesses import PictureGuesses, mean_colours
from components.new_task.python_source import call, noted, text, values_name
from components.new_task.task_source import baseline, end, rounded

IMPORTS = """from __future__ import annotations

from collections.abc import Sequence

import keras
import pandas as pd
import tensorflow as tf

from tasks import Bar, Category, Image, Model, Part, Task, Train, _picture_drawings
from transforms import images
"""
# Of the drawings; larger ones only take longer.
LARGEST, COUNT = 120, 240


def source(name: str, data: str, found: PictureGuesses) -> str:
    """All of it."""
    head = "\n\n".join([_docstring(name, data, found), IMPORTS.strip(), _columns(found)])
    return "\n\n\n".join([head, _preprocess(found), _model(found), _sample(name, found), _task(found)]) + "\n"


def _docstring(name: str, data: str, found: PictureGuesses) -> str:
    rows, kinds = len(found.label.values), len(found.looks)
    lines = [
        f"Which of {kinds} kinds a picture of {data} is.",
        "",
        *_paragraph(
            f"Guessed from {rows:,} pictures in {kinds} folders; what was found stands beside each guess. A picture is "
            "a file as it comes (JPEG, PNG, GIF, BMP or WebP); the served model decodes it, turns it upright, cuts out "
            "the middle and scales it."
        ),
        *_paragraph("Data: your own pictures; `sample` draws some with their sizes and colours, and copies none."),
        "",
        f"    sluice run {name} --data {shlex.quote(data)}",
        "",
    ]
    return '"""' + "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''") + '"""'


def _paragraph(words: str) -> list[str]:
    return textwrap.wrap(words, 118, break_long_words=False)


def _columns(found: PictureGuesses) -> str:
    widths, heights, label = found.widths, found.heights, found.label
    sizes = f"they are {min(widths)} to {max(widths)} wide and {min(heights)} to {max(heights)} high"
    if len({*widths}) == len({*heights}) == 1:
        sizes = f"they are {widths[0]} wide and {heights[0]} high"
    values = values_name(label.feature)
    colours = "all of them are grey" if found.channels == 1 else "some have colours"
    return "\n".join(
        [
            noted(f"SIZE = {found.size}", f"{sizes}; more shows finer details, and takes longer to learn from"),
            noted(f"CHANNELS = {found.channels}", colours),
            call(f"{values} = ", [text(str(name)) for name in label.known], 0),
            'FEATURES = (Image("picture", SIZE, SIZE, channels=CHANNELS),)',
            noted(f"LABEL = Category({text(label.feature.name)}, {values})", label.words),
        ]
    )


def _preprocess(found: PictureGuesses) -> str:
    return (
        "def preprocess(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:\n"
        '    return {"picture": images.resize(features["picture"], SIZE, SIZE, channels=CHANNELS, fit="crop")}'
    )


def _model(found: PictureGuesses) -> str:
    """The larger the pictures, the sooner they are made smaller."""
    first = "filters, 5, strides=2" if found.size >= 64 else "filters, 3"
    lines = [
        "def cnn(filters: int = 16, units: int = 64, dropout: float = 0.3) -> keras.Model:",
        '    inputs = keras.Input((SIZE, SIZE, CHANNELS), name="picture")',
        '    x = keras.layers.RandomFlip("horizontal")(inputs)  # not where left and right matter, as in letters',
        "    x = keras.layers.RandomZoom(0.1)(x)",
        f'    x = keras.layers.Conv2D({first}, padding="same", activation="relu")(x)',
        "    for size in (2 * filters, 4 * filters):",
        '        x = keras.layers.Conv2D(size, 3, padding="same", activation="relu")(x)',
        "        x = keras.layers.MaxPooling2D()(x)",
        "    x = keras.layers.Dropout(dropout)(keras.layers.Flatten()(x))",
        '    x = keras.layers.Dense(units, activation="relu")(x)',
        *end(found.label, "inputs"),
    ]
    return "\n".join(lines)


def _sample(name: str, found: PictureGuesses) -> str:
    sides = (min(min(found.widths), LARGEST), min(max(found.widths), LARGEST)), (
        min(min(found.heights), LARGEST), min(max(found.heights), LARGEST),
    )  # fmt: skip
    values = values_name(found.label.feature)
    drawn = [values, "COLOURS", f"{sides[0]}", f"{sides[1]}", "channels=CHANNELS", f"count={_count(found)}"]
    part = f'Part(name="drawings, {name.replace("_", " ")}", version="1", read=lambda: [_drawings()])'
    body = call("    pictures, kinds = _picture_drawings.draw", drawn, 0)
    colours = [str(mean_colours(looks)) for looks in found.looks]
    return "\n".join(
        [
            "# Of each kind, around and in the middle.",
            call("COLOURS = ", colours, 0),
            "",
            "",
            "def sample() -> Sequence[Part]:",
            call("    return ", [part], 0),
            "",
            "",
            "def _drawings() -> pd.DataFrame:",
            body,
            f'    return pd.DataFrame({{"picture": pictures, {text(found.label.feature.name)}: kinds}})',
        ]
    )


def _count(found: PictureGuesses) -> int:
    return max(COUNT, 40 * len(found.looks))


def _task(found: PictureGuesses) -> str:
    metric, reached, how = baseline(found.label)
    bar = rounded(min(reached + 0.02, 0.99))
    about = f"Which of {len(found.looks)} kinds a picture is"
    return "\n".join(
        [
            "TASK = Task(",
            f"    about={text(about)},",
            "    features=FEATURES,",
            "    label=LABEL,",
            "    sample=sample,",
            "    preprocess=preprocess,",
            '    models={"cnn": Model(cnn, Train(epochs=20, batch_size=32, patience=4))},',
            noted(f'    gate=(Bar("{metric}", {bar}, tolerance=0.02),),', f"{rounded(reached)} is {how}"),
            f"    slices=({text(found.label.feature.name)},),",
            ")",
        ]
    )
