"""The report of a run: one HTML file that needs nothing else, and the verdict as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.evaluate.explained import Explained
from components.evaluate.report import (
    binary_page,
    classes_page,
    data_page,
    features_page,
    origin_page,
    regression_page,
    training_page,
    verdict_page,
)
from components.evaluate.report import model_card_page as card_page
from components.evaluate.report import sample_rows_page as samples_page
from components.evaluate.report.html import document, number, tag
from components.storage import atomic_files
from tasks import Task

EVALUATION = {"regression": regression_page.page, "binary": binary_page.page, "classes": classes_page.page}


def write(
    path: Path | str,
    *,
    task: Task,
    model_name: str,
    data: str,
    blessing: Mapping[str, Any],
    statistics: Mapping[str, Any],
    anomalies: Sequence[Mapping[str, Any]],
    history: Mapping[str, Sequence[float | None]],
    training: Mapping[str, Any],
    predictions: pd.DataFrame,
    samples: Mapping[int, Mapping[str, Any]],
    read: Mapping[int, str],
    explained: Explained,
    past: Sequence[Mapping[str, Any]],
    force: str,
) -> None:
    """Write the page.

    `samples` are the raw features of test rows by position in `predictions`, of which `worth_showing` names good ones;
    `read` is what the model made of a sample's text, by position; `past` are the bars of earlier versions.
    """
    sections = [
        verdict_page.gate(blessing, past),
        EVALUATION[task.kind](task, predictions),
        features_page.page(task, predictions, explained),
        samples_page.page(task, predictions, samples, read, explained.words),
        training_page.page(history, training),
        data_page.page(task, statistics, anomalies),
        card_page.page(task, blessing, statistics),
        origin_page.page(blessing, statistics),
    ]
    head = [
        tag("p", f"{blessing['task']} / {model_name}", class_="soft"),
        tag("h1", task.about),
        tag("p", _said(statistics, data), class_="about"),
        verdict_page.banner(blessing),
        verdict_page.forced(force),
        verdict_page.synthetic(statistics, data),
    ]
    atomic_files.write_bytes(
        path, document(f"{blessing['task']} / {model_name}", head, sections).encode(errors="replace")
    )


def worth_showing(task: Task, predictions: pd.DataFrame, first: int = 24, worst: int = 12, best: int = 6) -> list[int]:
    """Positions of test rows that a person would like to see: the first, the worst and the best."""
    losses = samples_page.losses(task, predictions)
    order = np.argsort(np.where(np.isnan(losses), np.inf, losses), kind="stable")
    return sorted({*range(min(first, len(order))), *order[-worst:].tolist(), *order[:best].tolist()})


def markdown(blessing: Mapping[str, Any]) -> str:
    """The verdict as a table that is readable as plain text too."""
    title = f"{blessing['task']} / {blessing['model_name']}: {'blessed' if blessing['blessed'] else 'rejected'}"
    head = ["metric", "rows", "bar", "value", "interval", "champion", "verdict", "reason"]
    rows = [
        [
            bar["metric"],
            f"{bar['where'] or 'all'} ({number(bar['rows'])})",
            verdict_page.asked(bar),
            number(bar["value"]),
            verdict_page.interval(bar["interval"]),
            number(bar["champion"]),
            verdict_page.WORDS[bar["passed"]],
            bar["reason"],
        ]
        for bar in blessing["bars"]
    ]
    cells = [[re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head) - 1)] + [len(head[-1])]
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in cells]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    doubts = [f"- {finding['problem']}" for finding in blessing["honesty"] if not finding["passed"]]
    said = ["", "The evaluation cannot be believed:", "", *doubts] if doubts else []
    return "\n".join([f"**{title}**", "", *lines, *said, ""])


def _said(statistics: Mapping[str, Any], data: str) -> str:
    rows = statistics.get("rows", {})
    counted = ", ".join(f"{number(rows[split])} {word}" for split, word in data_page.SPLITS.items() if split in rows)
    kind = statistics.get("source", {}).get("kind", data)
    source = {"sample": "the synthetic sample", "real": "the real data"}.get(kind, data)
    return f"Made from {source}: {counted} rows." if counted else f"Made from {source}."
