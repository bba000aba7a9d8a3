"""The file of a new task for a table, as Python."""

from __future__ import annotations

import math
import shlex
import textwrap
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.new_task.column_guesses import Guess, Guesses
from components.new_task.python_source import call, literal, noted, number, text, tuple_of, values_name
from components.new_task.sample_source import rows_function
from tasks import Category, Date, Number, Text
from transforms import iso_dates

IMPORTS = """from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

"""
WORDS = 10_000
LONGEST = 256


def source(name: str, data: str, found: Guesses) -> str:
    """All of it."""
    head = "\n\n".join([_docstring(name, data, found), IMPORTS + _own_imports(found), _columns(found)])
    parts = [head, _preprocess(found), _model(found), _sample(name), rows_function(found, data), _task(found)]
    return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"


def baseline(label: Guess) -> tuple[str, float, str]:
    """The metric to ask for, what is reached without learning anything, and how."""
    if isinstance(label.feature, Number):
        values = label.values.drop_null().to_numpy(zero_copy_only=False).astype(float)
        return "mae", float(np.abs(values - values.mean()).mean()), "what the mean alone comes to"
    counts = pc.value_counts(label.values.drop_null()).field("counts").to_numpy(zero_copy_only=False)
    share = float(counts.max() / counts.sum())
    if share > 0.8 and len(label.known) == 2:
        return "auc", 0.5, f"what guessing comes to; {share:.0%} of the rows are of one kind, so accuracy tells little"
    return "accuracy", share, "what the most frequent kind alone comes to"


def _docstring(name: str, data: str, found: Guesses) -> str:
    label, rows = found.label, len(found.label.values)
    kinds = f", one of {len(label.known)}," if label.known else ""
    lines = [
        f"{label.feature.name.replace('_', ' ').capitalize()}{kinds} from {len(found.features)} columns of {data}.",
        "",
        *_paragraph(
            f"Guessed from {rows:,} rows; what was found stands beside each guess. Look them over: of the rows to "
            "come, one outside a range or a category's values stops the run."
        ),
    ]
    if found.left_out:
        told = "; ".join(f"`{header}`: {why}" for header, why in found.left_out.items())
        lines += _paragraph(f"Left out: {told}.")
    if dates := [guess.feature.name for guess in found.features if isinstance(guess.feature, Date)]:
        lines += _paragraph(
            "Rows are split by their content. To foretell those of days to come, split them by their date: give "
            f'the task splits=Splits(by="{dates[0]}", eval="2 weeks", test="4 weeks").'
        )
    lines += _paragraph("Data: your own rows; `sample` makes some that resemble them column by column.")
    lines += ["", f"    sluice run {name} --data {shlex.quote(data)}", ""]
    return '"""' + "\n".join(lines).replace("\\", "\\\\").replace('"""', "'''") + '"""'


def _paragraph(words: str) -> list[str]:
    return textwrap.wrap(words, 118, break_long_words=False)


def _own_imports(found: Guesses) -> str:
    kinds = {type(guess.feature).__name__ for guess in (*found.features, found.label)}
    names = [*sorted({"Bar", "Model", "Part", "Task", "Train", *kinds}), "_synthetic"]
    blocks: list[tuple[str, Any]] = [
        ("categories", Category), ("dates", Date), ("scaling", Number | Date), ("text", Text)
    ]  # fmt: skip
    used = [block for block, kind in blocks if any(isinstance(guess.feature, kind) for guess in found.features)]
    return f"from tasks import {', '.join(names)}\nfrom transforms import {', '.join(used)}"


def _columns(found: Guesses) -> str:
    lines = []
    for guess in (*found.features, found.label):
        if isinstance(guess.feature, Category):
            values = [literal(value) for value in guess.feature.values]
            lines.append(call(f"{values_name(guess.feature)} = ", values, 0))
    lines.append("FEATURES = (")
    lines += [noted(_feature(guess, 4) + ",", guess.words) for guess in found.features]
    lines += [")", noted(f"LABEL = {_feature(found.label, 0)}", found.label.words)]
    if numbers := [guess.feature.name for guess in found.features if isinstance(guess.feature, Number)]:
        lines.append(call("NUMBERS = ", [text(name) for name in numbers], 0))
    if any(isinstance(guess.feature, Category) for guess in found.features):
        lines.append("CATEGORIES = [feature for feature in FEATURES if isinstance(feature, Category)]")
    if dates := [guess for guess in found.features if isinstance(guess.feature, Date)]:
        parts = (f"    {text(guess.feature.name)}: {tuple_of(_parts(guess))}," for guess in dates)
        lines += ["CALENDAR = {", *parts, "}"]
    return "\n".join(lines)


def _feature(guess: Guess, indent: int) -> str:
    feature = guess.feature
    items = [text(feature.name)]
    if isinstance(feature, Category):
        items.append(values_name(feature))
    if isinstance(feature, Number) and indent:
        items += [f"minimum={number(feature.minimum or 0.0)}", f"maximum={number(feature.maximum or 0.0)}"]
    if feature.when_missing != "reject" and indent:
        items.append(f"when_missing={text(feature.when_missing)}")
    if feature.column:
        items.append(f"column={text(feature.column)}")
    return call(type(feature).__name__, items, indent)


def _preprocess(found: Guesses) -> str:
    kinds = {type(guess.feature) for guess in found.features}
    lines = ["def preprocess(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:"]
    table = []
    if Date in kinds:
        first = min(_first(guess) for guess in found.features if isinstance(guess.feature, Date))
        lines.append(f'    days = [dates.days_since(features[name], "{first}") for name in CALENDAR]')
        lines.append("    calendar = [dates.calendar(features[name], parts) for name, parts in CALENDAR.items()]")
        table.append("*calendar")
    if kinds & {Number, Date}:
        columns = "[features[name] for name in NUMBERS]" if Number in kinds else "days"
        columns = "[*(features[name] for name in NUMBERS), *days]" if {Number, Date} <= kinds else columns
        lines.append(noted(f"    numbers = scaling.z_score({columns})", "the missing count as the mean"))
        table.append("numbers")
    if Category in kinds:
        lines.append("    codes = [categories.one_hot(features[each.name], each.values) for each in CATEGORIES]")
        table.append("*codes")
    joined = "numbers" if table == ["numbers"] else f"tf.concat([{', '.join(table)}], axis=1)"
    outputs = [f'"features": {joined}'] if table else []
    for name, length in _texts(found).items():
        ids = f'text.ids(text.words(features["{name}"]), {WORDS:_}, "{name}")'
        outputs.append(f'"{name}_words": text.pad({ids}, {length})')
    body = "".join(f"        {each},\n" for each in outputs)
    single = f"    return {{{', '.join(outputs)}}}"
    lines.append(single if len(single) <= 120 else f"    return {{\n{body}    }}")
    return "\n".join(lines)


def _model(found: Guesses) -> str:
    kinds, texts = {type(guess.feature) for guess in found.features}, _texts(found)
    lines, inputs, parts = ["def mlp(units: int = 64, embedding: int = 16) -> keras.Model:" if texts else
                            "def mlp(units: int = 64) -> keras.Model:"], [], []  # fmt: skip
    if table := kinds & {Number, Category, Date}:
        width = ["len(NUMBERS)"] if Number in table else []
        width += ["sum(2 * len(parts) + 1 for parts in CALENDAR.values())"] if Date in table else []
        width += ["sum(len(each.values) for each in CATEGORIES)"] if Category in table else []
        lines.append(f'    table = keras.Input(({" + ".join(width)},), name="features")')
        inputs, parts = ["table"], ["table"]
    for name in texts:
        lines.append(f'    {name} = keras.Input((None,), dtype="int64", name="{name}_words")')
        lines.append(f"    vectors = keras.layers.Embedding({WORDS:_}, embedding, mask_zero=True)({name})")
        lines.append(f"    {name}_mean = keras.layers.GlobalAveragePooling1D()(vectors)")
        inputs.append(name)
        parts.append(f"{name}_mean")
    lines.append(
        f"    x = keras.layers.Concatenate()([{', '.join(parts)}])" if len(parts) > 1 else f"    x = {parts[0]}"
    )
    lines += ['    x = keras.layers.Dense(units, activation="relu")(x)'] * 2
    given = inputs[0] if len(inputs) == 1 else f"[{', '.join(inputs)}]"
    return "\n".join([*lines, *end(found.label, given)])


def end(label: Guess, inputs: str) -> list[str]:
    """The last layer, as the kind of label asks; numbers are brought to the label's scale, which may be any."""
    if isinstance(label.feature, Number):
        values = label.values.drop_null().to_numpy(zero_copy_only=False).astype(float)
        scale = f"{rounded(float(values.std()) or 1.0)}, {rounded(float(values.mean()))}"
        rescaled = noted(f"    x = keras.layers.Rescaling({scale})(keras.layers.Dense(1)(x))", "to the label's scale")
        return [rescaled, f"    return keras.Model({inputs}, x)"]
    if len(label.known) == 2:
        return [f'    return keras.Model({inputs}, keras.layers.Dense(1, activation="sigmoid")(x))']
    units = f"len({values_name(label.feature)})"
    return [f'    return keras.Model({inputs}, keras.layers.Dense({units}, activation="softmax")(x))']


def _parts(guess: Guess) -> list[str]:
    """The calendar's parts of which the file's dates show a whole cycle, and something of it."""
    moments = np.unique(guess.values.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False) // 10**6)
    days = (moments.max() - moments.min()) / 86_400
    within = bool((moments % 86_400).any())
    return [part for part, shown in (("month", days > 180), ("weekday", days > 14), ("hour", within)) if shown] or [
        "day"
    ]


def _first(guess: Guess) -> str:
    return iso_dates.written(pc.min(guess.values.cast(pa.int64())).as_py())[:10]


def _texts(found: Guesses) -> dict[str, int]:
    """The text columns, and how many words of each are kept: all of nineteen in twenty texts, if not too many."""
    kept = {}
    for guess in found.features:
        if isinstance(guess.feature, Text):
            counts = [len(value.split()) for value in guess.values.drop_null().to_pylist()]
            kept[guess.feature.name] = min(LONGEST, max(8, math.ceil(float(np.quantile(counts, 0.95)) / 8) * 8))
    return kept


def _sample(name: str) -> str:
    part = f'Part(name="synthetic {name.replace("_", " ")}", version="1", read=lambda: [_rows()])'
    return f"def sample() -> Sequence[Part]:\n{call('    return ', [part], 0)}"


def _task(found: Guesses) -> str:
    label, rows = found.label, len(found.label.values)
    metric, reached, how = baseline(label)
    texts = any(isinstance(guess.feature, Text) for guess in found.features)
    batch = 32 if rows < 10_000 else 128 if rows < 50_000 else 512
    epochs, patience = (30, 3) if texts else (100, 10)
    about = f"{label.feature.name.replace('_', ' ').capitalize()} from {len(found.features)} columns"
    step = 0.05 * reached if metric == "mae" else 0.02
    bar = rounded(reached * 0.97 if metric == "mae" else min(reached + 0.02, 0.99))
    absent = label.values.null_count / len(label.values)
    loss = ', loss="mse"' if isinstance(label.feature, Number) else ""
    lines = [
        "TASK = Task(",
        f"    about={text(about)},",
        "    features=FEATURES,",
        "    label=LABEL,",
        "    sample=sample,",
        "    preprocess=preprocess,",
        f'    models={{"mlp": Model(mlp, Train(epochs={epochs}, batch_size={batch}{loss}, patience={patience}))}},',
        noted(f'    gate=(Bar("{metric}", {bar}, tolerance={rounded(step)}),),', f"{rounded(reached)} is {how}"),
    ]
    if absent > 0.02:
        lines.append(noted(f"    max_rejected={rounded(absent + 0.05)},", f"{absent:.1%} of the rows lack the label"))
    return "\n".join([*lines, ")"])


def rounded(value: float) -> str:
    return number(float(f"{value:.3g}"))
