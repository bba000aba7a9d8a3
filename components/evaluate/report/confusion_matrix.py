"""The confusion matrix: a table, so that it can be read aloud and copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.report.html import Markup, number, tag

MOST = 30


def counts(label: NDArray[Any], chosen: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Rows by true class (down) and predicted class (across)."""
    return np.bincount(label * classes + chosen, minlength=classes * classes).reshape(classes, classes)


def table(matrix: NDArray[Any], names: Sequence[str]) -> Markup:
    if len(names) > MOST:
        return tag("p", f"The confusion matrix of {len(names)} classes is too large to show.", class_="soft")
    turned = len(names) > 4
    heads = [tag("th", tag("span", name), scope="col", class_="turned" if turned else None) for name in names]
    corner = tag("th", "true ↓ predicted →")
    rows = [
        tag("tr", tag("th", name, scope="row"), *(_cell(line, i, j) for j in range(len(names))))
        for i, (name, line) in enumerate(zip(names, matrix.tolist(), strict=True))
    ]
    whole = tag("table", tag("thead", tag("tr", corner, *heads)), tag("tbody", *rows), class_="confusion")
    said = tag(
        "p",
        "Rows are the true classes, columns the predicted ones; a deeper colour is a larger share of the true class, "
        "and the outlined cells are the right answers.",
        class_="soft",
    )
    return tag("div", tag("div", whole, class_="wide"), said)


def _cell(line: Sequence[int], row: int, column: int) -> Markup:
    share = line[column] / (sum(line) or 1)
    right = "right" if row == column else None
    return tag("td", number(line[column]), style=f"--share: {share:.3f}", title=f"{share:.1%}", class_=right)
