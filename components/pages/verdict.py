"""What the gate says, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.pages.html import Markup, number, section, table, tag


def banner(blessing: Mapping[str, Any]) -> Markup:
    if blessing["blessed"]:
        said = tag("p", "The model clears every bar of the gate.")
        return tag("div", tag("strong", "✓ Blessed"), said, class_="verdict good")
    reasons = tag("ul", *(tag("li", reason) for reason in blessing["reasons"]))
    return tag("div", tag("strong", "✗ Rejected"), reasons, class_="verdict bad")


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


def gate(blessing: Mapping[str, Any]) -> Markup:
    """Every bar, and below it every other metric."""
    champion = blessing.get("champion")
    against = (
        f"version {champion.partition(':')[0]}, on the same rows" if champion else "none, as nothing is served yet"
    )
    bars = table(
        ["Metric", "Bar", "This model", "Champion", "Tolerance", "Verdict", "Reason"],
        (
            [
                tag("b", bar["metric"]),
                tag("span", f"{'≥' if bar['higher_is_better'] else '≤'}\N{NO-BREAK SPACE}{number(bar['bar'])}"),
                bar["value"],
                bar["champion"],
                number(bar["tolerance"]),
                tag("span", "✓ pass" if bar["passed"] else "✗ fail", class_="pass" if bar["passed"] else "fail"),
                bar["reason"],
            ]
            for bar in blessing["bars"]
        ),
    )
    said = f"Judged on {number(blessing['rows'])} test rows. Champion: {against}."
    every = tag("div", tag("h3", "All metrics"), _metrics(blessing))
    return section("Gate", bars, tag("p", said, class_="soft"), tag("div", every, *_slices(blessing), class_="beside"))


def _metrics(blessing: Mapping[str, Any]) -> Markup:
    champion = blessing.get("champion_metrics")
    head = ["Metric", "This model", *(["Champion"] if champion else [])]
    rows = ([name, value, *([champion.get(name)] if champion else [])] for name, value in blessing["metrics"].items())
    return table(head, rows)


def _slices(blessing: Mapping[str, Any]) -> list[Markup]:
    """One table for each column that the task slices by."""
    tables = []
    for column, values in blessing.get("slices", {}).items():
        names = [name for name in next(iter(values.values()), {}) if name != "count"]
        rows = ([value, found["count"], *(found.get(name) for name in names)] for value, found in values.items())
        tables.append(tag("div", tag("h3", f"By {column}"), table([column, "Rows", *names], rows)))
    return tables
