"""One task in full: its columns, models, gate, and every setting with its default and meaning."""

from __future__ import annotations

from typing import Any

from components import settings
from pipelines.commands import run_summary
from tasks import Bar, Category, Date, Feature, Number, Task

MEANINGS = {
    "batch_size": "rows of one step",
    "class_weights": "how much a row of each class counts",
    "epochs": "passes over the rows, at most",
    "fit_on": "the rows that are fitted",
    "keep_best": "go back to the weights of the best epoch",
    "learning_rate": "of the optimizer; none: its own",
    "loss": "what is made small; none: the label's usual one",
    "memory": "GiB of preprocessed rows in memory, at most; none: half of what there is",
    "mixed_precision": "half the bits where that is enough, on a GPU",
    "optimizer": "Keras' optimizer",
    "patience": "stop after so many epochs without a smaller validation loss",
    "scale_batch": "batch_size rows for each device, instead of all",
    "schedule": "how the learning rate goes down",
    "xla": "compile the step; none: where that pays",
}


def described(name: str, task: Task) -> dict[str, Any]:
    """As scripts read it."""
    return {
        "name": name,
        "about": task.about,
        "sources": ["sample", *(["real"] if task.real else []), "your own files"],
        "features": [_column(feature) for feature in task.features],
        "label": _column(task.label),
        "gate": gate(task),
        "metrics": [*task.directions],
        "preprocess": _settings(settings.described_preprocess(task)),
        "models": {model: _settings(settings.described_model(task, model)) for model in task.models},
    }


def gate(task: Task) -> list[str]:
    return [_bar(bar, task.directions[bar.metric]) for bar in task.gate]


def _bar(bar: Bar, higher_is_better: bool) -> str:
    side = "at least" if higher_is_better else "at most"
    margin = f" by more than {bar.tolerance:g}" if bar.tolerance else ""
    each = f", for each {' and '.join(bar.slices)} too" if bar.slices else ""
    return f"{bar.metric} {side} {bar.bar:g}, and no worse than the served model{margin}{each}"


def text(told: dict[str, Any]) -> str:
    """The same to read."""
    columns = [*told["features"], {**told["label"], "name": f"{told['label']['name']} (the label)"}]
    lines = [told["name"], f"  {told['about']}", f"  data:    {', '.join(told['sources'])}"]
    lines += [f"  gate:    {'; '.join(told['gate'])}", f"  metrics: {', '.join(told['metrics'])}", "", "columns"]
    lines += _indented([[c["name"], c["kind"], c["values"], c["missing"], c["about"]] for c in columns])
    for title, found in [
        ("preprocessing", told["preprocess"]),
        *((f"model {m}", s) for m, s in told["models"].items()),
    ]:
        if found:
            rows = [[s["name"], s["default"], s["expected"], s["meaning"]] for s in found]
            lines += ["", f"{title}: --set KEY=VALUE", *_indented([["KEY", "DEFAULT", "EXPECTED", ""], *rows])]
    return "\n".join(lines)


def _indented(rows: list[list[str]]) -> list[str]:
    return [f"  {line}" for line in run_summary.table(rows).splitlines()]


def _column(column: Feature) -> dict[str, str]:
    return {
        "name": column.name,
        "kind": type(column).__name__.lower(),
        "values": _values(column),
        "missing": {"reject": "", "keep": "may be missing", "skip_training": "may be missing when asked"}.get(
            column.when_missing, str(column.when_missing)
        ),
        "about": column.about,
    }


def _values(column: Feature) -> str:
    if isinstance(column, Category):
        shown = [f"{v}={n}" if str(v) != n else n for v, n in zip(column.values, column.labels, strict=True)]
        return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
    if not isinstance(column, Number | Date):
        return ""
    low, high = (
        f"{limit:g}" if isinstance(limit, int | float) else limit for limit in (column.minimum, column.maximum)
    )
    if low is None or high is None:
        return f"at most {high}" if high is not None else f"at least {low}" if low is not None else ""
    return f"{low} to {high}"


def _settings(found: list[settings.Described]) -> list[dict[str, str]]:
    """What is a builder's own is called as its author has called it."""
    return [
        {
            "name": one.name,
            "default": _default(one.default),
            "expected": one.expected,
            "meaning": MEANINGS.get(one.name.removeprefix("train."), "") if one.name.startswith("train.") else one.of,
        }
        for one in found
    ]


def _default(value: Any) -> str:
    """As `--set` takes it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else run_summary.number(value)
