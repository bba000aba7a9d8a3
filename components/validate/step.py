"""Validate: does the data keep what the task's columns promise, and how far has it moved since the champion's data?

Errors stop the run; warnings go into the report. Both are written before anything is raised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

import tasks
from components.examples.drift import DRIFTED, drifts
from components.progress import say
from components.serving import versions as served
from components.storage import atomic_files
from tasks import Category, Date, Feature, Number, Task
from tasks._splits import SPLITS
from transforms import iso_dates

LINES = 10
# With fewer rows than this, that all values are the same may well be for want of rows.
FEW = 30
# A row that also stands in the test split is not a broken one.
ALSO_IN = "also in the "


class Anomaly(NamedTuple):
    column: str
    severity: Literal["error", "warning"]
    what: str
    expected: str
    received: str

    def __str__(self) -> str:
        where = f"{self.column}: " if self.column else ""
        return f"{where}{self.what}. Expected {self.expected}. Received: {self.received}."


def run(*, task: str, destination: str, champion: str, statistics: str, anomalies: str) -> None:
    definition = tasks.get(task)
    found = check(definition, atomic_files.read_json(statistics), served_statistics(destination, task, champion))
    atomic_files.write_json(anomalies, [anomaly._asdict() for anomaly in found])
    errors = [anomaly for anomaly in found if anomaly.severity == "error"]
    for anomaly in found:
        print(f"{anomaly.severity}: {anomaly}", flush=True)
    say(f"{len(errors)} errors, {len(found) - len(errors)} warnings")
    if errors:
        raise ValueError(listed(errors))


def listed(errors: list[Anomaly]) -> str:
    lines = [f"  {anomaly}" for anomaly in errors[: LINES - 1]]
    if len(errors) > len(lines):
        lines.append(f"  and {len(errors) - len(lines)} more")
    return "\n".join(["The data breaks the task's schema:", *lines])


def served_statistics(destination: str, task: str, champion: str) -> dict[str, Any] | None:
    """The statistics of the data that the champion was trained on, if it has them."""
    number = champion.partition(":")[0]
    known = {str(version.number): version for version in served.versions(destination, task)} if champion else {}
    found: dict[str, Any] | None = served.paper(known[number], "statistics.json") if number in known else None
    return found


def check(task: Task, statistics: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[Anomaly]:
    """All that is wrong or worth knowing, errors first."""
    found = [*_rejected(task, statistics), *_splits(task, statistics), *_split_rule(statistics, before)]
    if any(statistics["rows"].values()):
        for column in task.columns:
            found.extend(_column(task, column, statistics["columns"][column.name]))
            if before and column.name in before["columns"]:
                found.extend(_drift(column, before["columns"][column.name], statistics["columns"][column.name]))
    return sorted(found, key=lambda anomaly: anomaly.severity)


def _splits(task: Task, statistics: Mapping[str, Any]) -> Iterator[Anomaly]:
    total = sum(statistics["rows"].values())
    if not total:
        yield Anomaly("", "error", "No rows are left to learn from", "rows in every split", "none")
        return
    for split in SPLITS:
        if task.splits.fills(split) and not statistics["rows"][split]:
            since = "".join(f"; {name} begins {day}" for name, day in statistics.get("split_dates", {}).items())
            yield Anomaly(
                "", "error", f"The {split} split is empty", f"rows in {split}", f"none of {total} rows{since}"
            )


def _split_rule(statistics: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[Anomaly]:
    """Where the champion's rows were split by another rule, it may have been trained on rows of this test split."""
    now = statistics.get("splits")
    if not before or not now or before.get("splits") == now:
        return
    if now.get("by") and before.get("columns", {}).get(now["by"], {}).get("train", {}).get("last"):
        return  # the two are compared on rows that are newer than these
    then = before.get("splits") or {}
    differing = [name for name in now if then.get(name) != now[name]]
    yield Anomaly(
        "",
        "warning",
        "The serving model may have been trained on rows that both models are judged by now, which favours it",
        "rows split by the rule of the serving model's",
        f"another {', '.join(differing).replace('_', ' ')}" if then else "a serving model that does not tell its rule",
    )


def _rejected(task: Task, statistics: Mapping[str, Any]) -> Iterator[Anomaly]:
    aside = statistics["rejected"]
    reasons = {reason: n for reason, n in aside["reasons"].items() if not reason.startswith(ALSO_IN)}
    broken = sum(reasons.values())
    total = sum(statistics["rows"].values()) + broken
    if not broken:
        return
    top = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    told = "; ".join(_reason(reason, n, aside["examples"]) for reason, n in top[:3])
    severity: Literal["error", "warning"] = "error" if broken > task.max_rejected * total else "warning"
    more = f"; and {len(top) - 3} more reasons" if len(top) > 3 else ""
    yield Anomaly(
        "",
        severity,
        f"{broken} of {total} rows were set aside",
        f"at most {task.max_rejected:.3g} of all rows",
        f"{broken / total:.3g}: {told}{more}",
    )


def _reason(reason: str, count: int, examples: list[Mapping[str, str]]) -> str:
    example = next(
        (one for one in examples if one["reason"] == reason or one["reason"].startswith(f"{reason}: ")), None
    )
    said = example["reason"].removeprefix(reason).removeprefix(": ") if example else ""
    shown = (
        f" (such as {f'{said} in ' if said else ''}{example['position']}: {example['row'][:60]!r})" if example else ""
    )
    return f"{count} x {reason}{shown}"


def _column(task: Task, column: Feature, splits: Mapping[str, Mapping[str, Any]]) -> Iterator[Anomaly]:
    if not any(splits[split]["count"] for split in SPLITS):
        yield Anomaly(column.name, "error", "Every value is missing", "some values", "none")
        return
    if isinstance(column, Number):
        yield from _range(column, splits)
    if isinstance(column, Date):
        yield from _days(column, splits)
    if isinstance(column, Category):
        yield from _strangers(column, splits)
    yield from _constant(task, column, splits["train"])
    if column == task.label and isinstance(column, Category):
        yield from _classes(column, splits)


def _range(column: Number, splits: Mapping[str, Mapping[str, Any]]) -> Iterator[Anomaly]:
    least, most = _float32(column.minimum), _float32(column.maximum)
    for split in SPLITS:
        found = splits[split]
        if not found["count"]:
            continue
        if least is not None and found["min"] < least:
            expected, received = f"at least {_shortest(least)}", _shortest(found["min"])
            yield Anomaly(column.name, "error", f"A number in {split} is too small", expected, received)
        if most is not None and found["max"] > most:
            expected, received = f"at most {_shortest(most)}", _shortest(found["max"])
            yield Anomaly(column.name, "error", f"A number in {split} is too large", expected, received)


def _days(column: Date, splits: Mapping[str, Mapping[str, Any]]) -> Iterator[Anomaly]:
    least, most = column.limits
    for split in SPLITS:
        found = splits[split]
        if not found["count"]:
            continue
        first, last = iso_dates.microseconds(found["first"]), iso_dates.microseconds(found["last"])
        if least is not None and first is not None and first < least:
            yield Anomaly(
                column.name, "error", f"A date in {split} is too early", f"from {column.minimum} on", found["first"]
            )
        if most is not None and last is not None and last > most:
            yield Anomaly(
                column.name, "error", f"A date in {split} is too late", f"at most {column.maximum}", found["last"]
            )


def _float32(bound: float | None) -> float | None:
    """A bound as a row would hold it: 0.7 in 32 bits is less than 0.7 in 64."""
    with np.errstate(over="ignore"):
        return None if bound is None else float(np.float32(bound))


def _shortest(number: float) -> str:
    """The fewest digits that tell it from its neighbours."""
    with np.errstate(over="ignore"):
        return str(np.float32(number)).removesuffix(".0")


def _strangers(column: Category, splits: Mapping[str, Mapping[str, Any]]) -> Iterator[Anomaly]:
    count = sum(splits[split]["outside"]["count"] for split in SPLITS)
    if count:
        values = dict.fromkeys(repr(value) for split in SPLITS for value in splits[split]["outside"]["values"])
        what = f"{count} rows have an unknown value" if count > 1 else "One row has an unknown value"
        expected = f"one of {', '.join(map(repr, column.values[:20]))}{', ...' if len(column.values) > 20 else ''}"
        received = ", ".join(list(values)[:5]) + (", ..." if len(values) > 5 else "")
        yield Anomaly(column.name, "error", what, expected, received)


def _constant(task: Task, column: Feature, train: Mapping[str, Any]) -> Iterator[Anomaly]:
    if "top" in train:
        only = train["top"][0][0] if len(train["top"]) == 1 else None
    else:
        least, most = ("first", "last") if isinstance(column, Date) else ("min", "max")
        only = train[least] if train["count"] and train[least] == train[most] else None
    if train["count"] and only is not None and train["count"] > 1:
        severity: Literal["error", "warning"] = "error" if column == task.label else "warning"
        count = train["count"]
        expected = f"several values, and more rows to learn from than {count}" if count < FEW else "several values"
        what = f"All {count:,} values in train are the same"
        yield Anomaly(column.name, severity, what, expected, f"{only!r}")


def _classes(label: Category, splits: Mapping[str, Mapping[str, Any]]) -> Iterator[Anomaly]:
    for split in SPLITS:
        present = {value for value, _ in splits[split]["top"]}
        absent = [value for value in label.values if value not in present]
        # top holds the hundred most frequent values; with more classes than that, not all can be in it.
        if splits[split]["count"] and absent and len(label.values) <= 100:
            shown = ", ".join(map(repr, absent[:10]))
            yield Anomaly(
                label.name, "warning", f"A class is absent from {split}", "rows of every class", f"no {shown}"
            )


def _drift(column: Feature, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Anomaly]:
    for drift in drifts(column, before["train"], now["train"]):
        if drift.beyond:
            yield Anomaly(column.name, "warning", DRIFTED, drift.expected, drift.received)
