"""The model card: what a model is for, its data, its scores by slice and its limits, filled from the run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks import Category, Date, Feature, Image, Number, Task, Text

FEW_ROWS, FEW_IN_SLICE = 1000, 30
SOURCES = {
    "sample": "the synthetic sample that the task makes up itself",
    "real": "the real data set",
    "tfds": "a data set of TensorFlow Datasets",
    "user": "the user's own files",
}


@dataclass(frozen=True)
class Table:
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


Block = str | Table
Facts = Mapping[str, Any]


def markdown(task: Task, name: str, blessing: Facts, statistics: Facts, provenance: Facts, rehearsal: Facts) -> str:
    """The whole card, as it lies beside a pushed model."""
    sections: dict[str, Sequence[Block]] = {
        "What it is for": purpose(task, name),
        "Data": _data(statistics),
        "Scores": _scores(blessing),
        "Scores by slice": _slices(blessing),
        "Limits": [f"- {limit}" for limit in limits(task, blessing, statistics, provenance)],
        "Serving": _serving(rehearsal),
        "Where it comes from": _origin(provenance),
    }
    lines = [f"# {name} / {blessing.get('model_name', '')}", ""]
    for title, blocks in sections.items():
        lines += [f"## {title}", "", *(line for block in blocks for line in _rendered(block)), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def purpose(task: Task, name: str) -> list[Block]:
    """The task's sentence, the text at the top of its file, and what goes in and comes out."""
    told = str(getattr(sys.modules.get(f"tasks.{name}"), "__doc__", None) or "").strip()
    columns = [[column.name, _kind(column), _when_missing(column), column.about] for column in task.features]
    answer = {
        "regression": "a number, `prediction`",
        "binary": "the `probability` of the second value",
        "classes": "`probabilities` and the likeliest `class`",
    }[task.kind]
    label = f"It predicts `{task.label.name}` ({_kind(task.label)}) and answers with {answer}."
    return [f"{task.about}.", *told.split("\n\n"), label, Table(["input", "kind", "when missing", "about"], columns)]


def limits(task: Task, blessing: Facts, statistics: Facts, provenance: Facts) -> Iterator[str]:
    """What a reader should know before relying on the model, as far as the run can tell."""
    if statistics.get("source", {}).get("kind") == "sample":
        yield "It was trained and judged on synthetic data: its scores say nothing about the real problem."
    if provenance.get("force"):
        yield f"It was pushed past the gate, by force: {provenance['force']}."
    yield from (f"The gate has this against it: {reason}" for reason in blessing.get("reasons", []))
    if (rows := blessing.get("rows", 0)) < FEW_ROWS:
        yield f"It was judged on {rows:,} rows only; another test split could well give other scores."
    for column, values in blessing.get("slices", {}).items():
        few = [f"{value} ({found['count']})" for value, found in values.items() if found["count"] < FEW_IN_SLICE]
        if few:
            yield f"Little is known about these values of {column}, for want of test rows: {', '.join(few)}."
    for feature in task.features:
        if isinstance(feature, Category):
            yield f"It knows these values of {feature.name} only: {', '.join(feature.labels[:20])}."
        elif feature.when_missing == "skip_training":
            yield f"It answers rows without {feature.name}, but learned from none."
    if numbers := [_span(column, statistics) for column in task.features if isinstance(column, Number | Date)]:
        spans = "; ".join(filter(None, numbers))
        yield f"Beyond what it was trained on it extrapolates. The training data span: {spans}."
    rejected = statistics.get("rejected", {}).get("count", 0)
    if rejected:
        yield f"{rejected:,} rows of the source could not be used; the model was neither trained nor judged on them."


def _data(statistics: Facts) -> list[Block]:
    source, rows = statistics.get("source", {}), statistics.get("rows", {})
    kind, parts = source.get("kind", ""), source.get("parts", 0)
    return [
        f"Source: {SOURCES.get(kind, kind or 'unknown')}, {parts:,} part{'s' * (parts != 1)}, snapshot "
        f"`{source.get('snapshot', '')}`, fingerprint `{statistics.get('fingerprint', '')}`.",
        Table(["split", "rows"], [[split, f"{count:,}"] for split, count in by_split(rows).items()]),
        f"Rows set aside: {statistics.get('rejected', {}).get('count', 0):,}.",
    ]


def _scores(blessing: Facts) -> list[Block]:
    champion = blessing.get("champion")
    against = f"version {champion.partition(':')[0]}" if champion else "none"
    return [
        f"On {blessing.get('rows', 0):,} rows that it was not trained on. Champion: {against}.",
        Table(["metric", "bar", "value", "interval", "champion", "verdict"], bars(blessing)),
        Table(["metric", "value"], [[name, figure(value)] for name, value in blessing.get("metrics", {}).items()]),
    ]


def _slices(blessing: Facts) -> list[Block]:
    tables: list[Block] = []
    for column, values in blessing.get("slices", {}).items():
        names = [name for name in next(iter(values.values()), {}) if name != "count"]
        cells = {
            value: [found["count"], *(figure(found.get(name)) for name in names)] for value, found in values.items()
        }
        tables.append(Table([column, "rows", *names], [[value, *row] for value, row in cells.items()]))
    return tables or ["The task names no columns to slice by."]


def _serving(rehearsal: Facts) -> list[Block]:
    if not rehearsal.get("passed"):
        return [f"It did not pass the serving check: {' '.join(rehearsal.get('reasons', []))}"]
    timed = [
        [f"{int(size):,}", figure(found["p50_ms"]), figure(found["p99_ms"])]
        for size, found in rehearsal.get("latency", {}).items()
    ]
    memory = rehearsal.get("memory", {})
    return [
        f"In a clean process with plain TensorFlow it answers {len(rehearsal.get('cases', []))} kinds of request, and "
        "real rows through the loader of TensorFlow Serving, Java, C and Go too, as in "
        f"the evaluation to {figure(rehearsal.get('largest_difference'))}; it takes "
        f"{figure(memory.get('model_mib'))} MiB beside TensorFlow's own {figure(memory.get('tensorflow_mib'))} MiB.",
        Table(["rows in a request", "median, ms", "99th percentile, ms"], timed),
    ]


def _origin(provenance: Facts) -> list[Block]:
    versions = ", ".join(f"{name} {version}" for name, version in provenance.get("versions", {}).items())
    facts = {
        "run": provenance.get("run"),
        "pushed": provenance.get("pushed_at"),
        "git": provenance.get("git") or "not in a repository",
        **provenance.get("parameters", {}),
        "model sha256": provenance.get("model_sha256"),
        "libraries": versions,
    }
    return [Table(["what", "value"], [[name, value] for name, value in facts.items() if value])]


def by_split(rows: Mapping[str, int]) -> dict[str, int]:
    """In the order in which people speak of them."""
    return {split: rows[split] for split in ("train", "eval", "test") if split in rows}


def bars(blessing: Facts) -> list[list[str]]:
    """Of each of the gate's bars: metric, bar, value, the value's interval, the champion's value and the verdict."""
    return [
        [
            f"{bar['metric']} {bar.get('where', '')}".strip(),
            f"{'≥' if bar['higher_is_better'] else '≤'} {figure(bar['bar'])}",
            figure(bar["value"]),
            " to ".join(map(figure, bar.get("interval") or ["—"])),
            figure(bar["champion"]),
            {True: "pass", False: "fail", None: "not judged"}[bar["passed"]],
        ]
        for bar in blessing.get("bars", [])
    ]


def figure(value: Any) -> str:
    if value is None:
        return "—"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _kind(column: Feature) -> str:
    match column:
        case Number():
            least, most = column.minimum, column.maximum
            return "number" if least is None or most is None else f"number, {least:g} to {most:g}"
        case Category():
            return f"one of {len(column.values)} values"
        case Text():
            return "text"
        case Date():
            return "ISO date or time, UTC where it names no zone"
        case Image():
            kind = f"{'grey' if column.channels == 1 else 'colour'} image"
            return f"{kind}, {column.shape[0]} by {column.shape[1]}{'' if column.exact else ', resized from any size'}"


def _when_missing(column: Feature) -> str:
    return {"reject": "not served", "keep": "served", "skip_training": "served, not trained on"}[column.when_missing]


def _span(column: Feature, statistics: Facts) -> str:
    found = statistics.get("columns", {}).get(column.name, {}).get("train", {})
    if found.get("last") is not None:
        return f"{column.name} {found['first']} to {found['last']}"
    if found.get("min") is None:
        return ""
    return f"{column.name} {figure(found['min'])} to {figure(found['max'])}"


def _rendered(block: Block) -> Iterator[str]:
    """A block as lines of Markdown; an empty line after all but the items of a list."""
    if isinstance(block, str):
        yield block
        if not block.startswith("- "):
            yield ""
        return
    if not block.rows:
        return
    rows = [[re.sub(r"\s+", " ", str(cell)).replace("|", "\\|") for cell in row] for row in [block.head, *block.rows]]
    rows.insert(1, ["---"] * len(block.head))
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
