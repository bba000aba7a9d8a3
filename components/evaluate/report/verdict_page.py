"""What the gate says, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.evaluate.report.html import ABSENT, Markup, figure, number, section, table, tag
from components.evaluate.report.interval_plots import Point, points
from components.serving import report_outcome

SAID = (
    "An interval holds, with the bar's confidence, the value that endless rows of the same kind would give. A loss to "
    "the champion counts if it exceeds the tolerance and, in a slice, is more than chance on these rows."
)
SAME_DATA = " The champion learned from the same data, so by the first bar it must be beaten; a tie leaves it."
OLDER = " Left out: {} test rows that are not newer than what the champion learned from, which goes up to {}."
WORDS = {True: "pass", False: "fail", None: "not judged"}
MARKS = {True: "✓ pass", False: "✗ fail", None: "not judged"}
KINDS = {True: "pass", False: "fail", None: "soft"}


def banner(blessing: Mapping[str, Any]) -> Markup:
    """As far as the evaluation knows; push writes it again when the outcome is known."""
    return Markup(report_outcome.banner(report_outcome.judged(blessing)))


def forced(reason: str) -> Markup:
    if not reason:
        return Markup()
    said = f"This run was to push its model whatever the gate says. The reason given: {reason}"
    return tag("div", tag("b", "Forced. "), said, class_="notice")


def synthetic(statistics: Mapping[str, Any], data: str) -> Markup:
    if statistics.get("source", {}).get("kind", data) != "sample":
        return Markup()
    return tag(
        "div",
        tag("b", "Synthetic data. "),
        "This run used the small sample that the task makes up itself. It shows that the pipeline works; "
        "its scores say nothing about the real problem.",
        class_="notice",
    )


def gate(blessing: Mapping[str, Any], past: Sequence[Mapping[str, Any]] = ()) -> Markup:
    """Every bar, how earlier versions cleared it, and below it every other metric."""
    champion = blessing.get("champion")
    how = "on the same rows" if blessing.get("champion_metrics") else "not compared"
    against = f"version {champion.partition(':')[0]}, {how}" if champion else "none, as nothing is served yet"
    head = ["Metric", "Rows", "Bar", "This model", "Interval", "Champion", "Tolerance", "Verdict"]
    bars = table(head, map(_bar, blessing["bars"]))
    said = f"Judged on {number(blessing['rows'])} test rows. Champion: {against}. {SAID}"
    said += SAME_DATA if blessing.get("same_data") else ""
    if older := blessing.get("older_rows"):
        said += OLDER.format(number(older), blessing["champion_until"])
    every = tag("div", tag("h3", "All metrics"), _metrics(blessing))
    beside = tag("div", every, *_slices(blessing), class_="beside")
    # Not a column of the table: on a narrow screen that would be out of sight.
    reasons = tag("ul", *(tag("li", bar["reason"]) for bar in blessing["bars"]))
    return section(
        "Gate", bars, reasons, tag("p", said, class_="soft"), *_honesty(blessing), *_past(blessing, past), beside
    )


def asked(bar: Mapping[str, Any]) -> str:
    return f"{'≥' if bar['higher_is_better'] else '≤'} {number(bar['bar'])}"


def interval(ends: Sequence[float] | None) -> str:
    return f"{number(ends[0])} to {number(ends[1])}" if ends else ABSENT


def _bar(bar: Mapping[str, Any]) -> list[Any]:
    rows = tag("span", f"{bar['where'] or 'all'} ({number(bar['rows'])})", class_="short")
    return [
        tag("b", bar["metric"]),
        rows,
        tag("span", asked(bar), class_="short"),
        bar["value"],
        tag("span", interval(bar["interval"]), class_="short", title=f"{bar['confidence']:.4g} confidence"),
        bar["champion"],
        number(bar["tolerance"]),
        tag("span", MARKS[bar["passed"]], class_=KINDS[bar["passed"]]),
    ]


def _past(blessing: Mapping[str, Any], past: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """Each bar's value over the versions, and this model's beside them."""
    figures = [_history(bar, past) for bar in blessing["bars"] if not bar["where"]]
    if not any(figures):
        return []
    said = "Each was judged on the test rows of its day. Upright lines are intervals, the dashed one is the bar."
    return [tag("h3", "Over the versions"), tag("p", said, class_="soft"), tag("div", *figures, class_="figures")]


def _history(bar: Mapping[str, Any], past: Sequence[Mapping[str, Any]]) -> Markup:
    marks = [_point(each["version"], each["bars"].get(bar["metric"], {})) for each in past]
    known = [mark for mark in marks if mark is not None]
    this = _point(past[-1]["version"] + 1, bar) if past else None
    if not known or this is None:
        return Markup()
    name = bar["metric"]
    told = f"{name} of {len(known)} version{'s' if len(known) > 1 else ''} and of this model"
    picture = points(
        [*known, this], x_label="version; the last point is this model", y_label=name, alt=told, level=bar["bar"],
        whole_x=True,
    )  # fmt: skip
    return figure(picture, f"{told}: {number(known[-1].y)} of version {known[-1].x}, {number(this.y)} now.")


def _point(version: int, bar: Mapping[str, Any]) -> Point | None:
    """Nothing where a version's own words, which anybody could have written, hold no number."""
    value, interval = bar.get("value"), bar.get("interval")
    ends = interval if isinstance(interval, list) and len(interval) == 2 else [None, None]
    return Point(version, value, *ends) if isinstance(value, int | float) else None


def _honesty(blessing: Mapping[str, Any]) -> list[Markup]:
    """What was checked before the verdict, and what was found."""
    findings = blessing.get("honesty") or []
    rows = (
        [
            finding["check"],
            tag("span", MARKS[finding["passed"]], class_=KINDS[finding["passed"]]),
            finding["problem"],
        ]
        for finding in findings
    )
    if all(finding["passed"] for finding in findings):
        checks = "; ".join(finding["check"] for finding in findings)
        return [tag("p", f"Checked before the verdict, and found so: {checks}.", class_="soft")] if findings else []
    return [tag("h3", "Can this evaluation be believed?"), table(["Check", "Verdict", "What was found"], rows)]


def _metrics(blessing: Mapping[str, Any]) -> Markup:
    champion, sure = blessing.get("champion_metrics"), blessing.get("intervals") or {}
    head = ["Metric", "This model", *(["Interval"] if sure else []), *(["Champion"] if champion else [])]
    rows = (
        [
            name,
            value,
            *([interval(sure.get(name))] if sure else []),
            *([champion.get(name)] if champion else []),
        ]
        for name, value in blessing["metrics"].items()
    )
    return table(head, rows)


def _slices(blessing: Mapping[str, Any]) -> list[Markup]:
    """One table for each column that the task slices by."""
    tables = []
    for column, values in blessing.get("slices", {}).items():
        names = [name for name in next(iter(values.values()), {}) if name != "count"]
        rows = ([value, found["count"], *(found.get(name) for name in names)] for value, found in values.items())
        tables.append(tag("div", tag("h3", f"By {column}"), table([column, "Rows", *names], rows)))
    return tables
