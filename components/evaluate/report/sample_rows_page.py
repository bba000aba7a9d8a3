"""Single test rows: what the model was shown and what it said."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from components.evaluate.left_out_words import Moved
from components.evaluate.metrics import matrix
from components.evaluate.report import moved_words
from components.evaluate.report.html import Markup, folded, join, number, section, table, tag
from components.examples import pictures
from components.reading.convert_pictures import PNG
from tasks import Category, Date, Feature, Image, Task, Text
from transforms import iso_dates

IMAGES, TEXTS, ROWS = 25, 6, 10
LONGEST = 420


@dataclass(frozen=True)
class Answer:
    """What the model said of one row."""

    truth: str
    said: str
    right: bool | None
    loss: float  # the higher, the worse
    probabilities: tuple[float, ...] = ()


def page(
    task: Task,
    predictions: pd.DataFrame,
    samples: Mapping[int, Mapping[str, Any]],
    read: Mapping[int, str],
    words: Mapping[int, Moved],
) -> Markup:
    """Images as a grid, texts as the best and the worst, other rows as a table of the worst."""
    answers = {at: answer(task, predictions.iloc[at]) for at in samples if at < len(predictions)}
    if not answers:
        return Markup()
    image = next((feature for feature in task.features if isinstance(feature, Image)), None)
    text = next((feature for feature in task.features if isinstance(feature, Text)), None)
    if image:
        shown = _some_of_both(answers)
        cards = [
            _card(
                task,
                answers[at],
                before=[_picture(samples[at].get(image.name), image)],
                after=[_others(task, samples[at], image)],
            )
            for at in shown
        ]
        return section("Examples", _key(task), tag("div", *cards, class_="cards"))
    if text:
        parts = [
            _texts(task, title, ats, answers, samples, text, read, words)
            for title, ats in _worst_and_best(answers).items()
            if ats
        ]
        return section("Examples", _key(task), *moved_words.key(task, words), *parts)
    worst = sorted(answers, key=lambda at: -answers[at].loss)[:ROWS]
    return section("Examples", _table(task, worst, answers, samples, predictions))


def texts_shown(
    task: Task, predictions: pd.DataFrame, samples: Mapping[int, Mapping[str, Any]]
) -> dict[int, Mapping[str, Any]]:
    """The samples that the page shows as texts; none where a task has pictures, or no text."""
    kinds = {type(feature) for feature in task.features}
    if Text not in kinds or Image in kinds:
        return {}
    answers = {at: answer(task, predictions.iloc[at]) for at in samples}
    return {at: samples[at] for group in _worst_and_best(answers).values() for at in group}


def _worst_and_best(answers: Mapping[int, Answer]) -> dict[str, list[int]]:
    order = sorted(answers, key=lambda at: -answers[at].loss)
    return {"Worst": order[:TEXTS], "Best": [at for at in order[::-1] if at not in order[:TEXTS]][:TEXTS]}


def answer(task: Task, row: pd.Series) -> Answer:
    if not isinstance(task.label, Category):
        truth, predicted = float(row["label"]), float(row["prediction"])
        return Answer(number(truth), number(predicted), None, abs(predicted - truth))
    label, names = int(row["label"]), task.label.labels
    given = np.asarray(row["prediction"], float)
    probabilities = given if given.ndim else np.array([1 - given, given])
    chosen = int(probabilities.argmax())
    loss = 1 - float(probabilities[label])
    return Answer(names[label], names[chosen], chosen == label, loss, tuple(probabilities.tolist()))


def losses(task: Task, predictions: pd.DataFrame) -> np.ndarray:
    """How wrong each row's answer is: the absolute error, or what the true class lacks of certainty."""
    label, given = predictions["label"].to_numpy(), matrix(predictions["prediction"])
    if task.kind == "classes":
        return 1 - given[np.arange(len(given)), label.astype(int)].astype(float) if len(given) else np.array([])
    given = given.astype(float)
    return np.abs(given - label) if task.kind == "regression" else np.where(label == 1, 1 - given, given)


def png(pixels: np.ndarray) -> bytes:
    """Grey pixels, height by width, as a PNG file."""
    height, width = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in np.ascontiguousarray(pixels, np.uint8))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(lines), b"IEND": b""}
    return PNG + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks.items()
    )


def _some_of_both(answers: Mapping[int, Answer]) -> list[int]:
    """The first rows as they come, with room made for wrong ones, in their order."""
    wrong = [at for at in answers if answers[at].right is False][: IMAGES // 2]
    others = [at for at in answers if at not in wrong and answers[at].right is not False]
    return sorted(wrong + others[: IMAGES - len(wrong)])


def _key(task: Task) -> Markup:
    if not isinstance(task.label, Category):
        return Markup()
    right, wrong = tag("b", "✓ right", class_="right"), tag("b", "✗ wrong", class_="wrong")
    said = ["Test rows that the model got ", right, " and ", wrong, ", with the probability it gave. "]
    share = "Wrong ones have more room than their share." if any(isinstance(f, Image) for f in task.features) else ""
    return tag("p", *said, share, class_="soft")


def _card(task: Task, found: Answer, *, before: Sequence[Markup] = (), after: Sequence[Markup] = ()) -> Markup:
    if found.right is None:
        return tag("div", *before, tag("h4", f"{found.said}, truly {found.truth}"), *after, class_="card")
    kind = "right" if found.right else "wrong"
    title = [tag("b", "✓ " if found.right else "✗ ", found.said, class_=kind)]
    if not found.right:
        title.append(tag("span", f", truly {found.truth}"))
    bars = _bars(task, found) if len(found.probabilities) > 2 else _gauge(task, found)
    return tag("div", *before, tag("h4", *title), bars, *after, class_=f"card {kind}")


def _bars(task: Task, found: Answer) -> Markup:
    assert isinstance(task.label, Category)
    bars = []
    for name, share in zip(task.label.labels, found.probabilities, strict=True):
        kinds = ["true"] * (name == found.truth) + ["chosen"] * (name == found.said)
        bar = tag("i", style=f"--share: {share:.4f}")
        bars.append(tag("div", tag("span", name), bar, class_=" ".join(kinds) or None, title=f"{name}: {share:.1%}"))
    return tag("div", *bars, class_="bars")


def _gauge(task: Task, found: Answer) -> Markup:
    assert isinstance(task.label, Category)
    share = found.probabilities[1]
    said = tag("div", f"probability of {task.label.labels[1]}: {share:.1%}", class_="soft")
    return tag("div", tag("div", tag("i", style=f"--share: {share:.4f}"), class_="gauge"), said)


def _texts(
    task: Task,
    title: str,
    chosen: Sequence[int],
    answers: Mapping[int, Answer],
    samples: Mapping[int, Mapping[str, Any]],
    feature: Text,
    read: Mapping[int, str],
    words: Mapping[int, Moved],
) -> Markup:
    cards = [
        _card(
            task,
            answers[at],
            after=[
                _text(_decoded(samples[at].get(feature.name))),
                moved_words.listed(words.get(at, [])),
                _seen(read.get(at)),
                _others(task, samples[at], feature),
            ],
        )
        for at in chosen
    ]
    return join([tag("h3", title), tag("div", *cards, class_="cards texts")])


def _text(text: str) -> Markup:
    if len(text) <= LONGEST:
        return tag("p", text, dir="auto")
    cut = text.rfind(" ", LONGEST - 60, LONGEST) + 1 or LONGEST
    return join([tag("p", f"{text[:cut]}…", dir="auto"), folded("The rest", tag("p", text[cut:], dir="auto"))])


def _others(task: Task, row: Mapping[str, Any], shown: Feature) -> Markup:
    """What else the model was shown of the row; further images are not."""
    rest = [feature for feature in task.features if feature is not shown and not isinstance(feature, Image)]
    told = "; ".join(f"{feature.name} {number(_plain(feature, row.get(feature.name)))}" for feature in rest)
    return tag("p", told, class_="soft") if told else Markup()


def _seen(words: str | None) -> Markup:
    return folded("The words the model saw", tag("p", words, dir="auto")) if words else Markup()


def _thumbnail(image: Image, value: bytes) -> bytes:
    """All of the picture, decoded and turned as in the served graph, which alone wants TensorFlow."""
    from PIL import Image as Picture

    if pictures.is_file(value):
        import tensorflow as tf

        from transforms import images

        pixels = (images.whole(tf.constant(value), image.channels).numpy() * 255).round().astype(np.uint8)
    else:
        pixels = np.frombuffer(value, np.uint8).reshape(*image.shape, image.channels)
    shown, out = Picture.fromarray(pixels.squeeze(axis=2) if image.channels == 1 else pixels), io.BytesIO()
    shown.thumbnail(image.shape[::-1])
    shown.save(out, "PNG")
    return out.getvalue()


def _picture(value: Any, image: Image) -> Markup:
    """Raw pixels, or a file as people see it, within the page."""
    if not isinstance(value, bytes):
        value = np.asarray(value, np.uint8).tobytes()
    if not image.exact and (pictures.is_file(value) or len(value) == image.size):
        content = _thumbnail(image, value)
    elif value.startswith(PNG):
        content = value
    elif len(value) == image.size:
        content = png(np.frombuffer(value, np.uint8).reshape(image.shape))
    else:
        return tag("p", "no image", class_="soft")
    shape = image.shape
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return tag("img", src=source, alt="the image that the model was shown", width=shape[1], height=shape[0])


def _table(
    task: Task,
    chosen: Sequence[int],
    answers: Mapping[int, Answer],
    samples: Mapping[int, Mapping[str, Any]],
    predictions: pd.DataFrame,
) -> Markup:
    rows = []
    for at in chosen:
        outcome: list[Any] = [answers[at].truth, answers[at].said]
        if answers[at].right is None:
            outcome = [float(predictions[name].iloc[at]) for name in ("label", "prediction")]
        rows.append([*outcome, *(_plain(feature, samples[at].get(feature.name)) for feature in task.features)])
    head = [f"True {task.label.name}", "Predicted", *(feature.name for feature in task.features)]
    return table(head, rows, caption=f"The {len(chosen)} of {len(predictions):,} test rows that it got most wrong.")


def _plain(feature: Feature, value: Any) -> Any:
    """As people read it, a category by its label."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bytes):
        plain = _decoded(plain)
    if isinstance(feature, Date):
        return "" if plain != plain else iso_dates.of_seconds(plain)
    if isinstance(feature, Category):
        return dict(zip(map(str, feature.values), feature.labels, strict=True)).get(number(plain), number(plain))
    return plain


def _decoded(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
