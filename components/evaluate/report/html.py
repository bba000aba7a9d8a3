"""HTML and SVG that cannot be broken by what is written into it: only tag() makes markup, and it escapes the rest."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

STYLES = (files("components") / "colours.css", files("components.evaluate.report") / "style.css")
# Nothing in the page may run or load anything, whatever got into it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
EMPTY = {"br", "circle", "img", "line", "meta", "path", "rect"}
ABSENT = "—"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name_: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element; children that are no Markup are escaped, None and False attributes left out, `_` reads `-`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name_ in EMPTY:
        return Markup(f"<{name_}{written}/>")
    return Markup(f"<{name_}{written}>{join(children)}</{name_}>")


def join(children: Iterable[Any]) -> Markup:
    return Markup("".join(child if isinstance(child, Markup) else html.escape(str(child)) for child in children))


def number(value: Any) -> str:
    """As people read it: few digits, thousands apart, a dash for what is absent."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ABSENT
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1000 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def table(head: Sequence[Any], rows: Iterable[Sequence[Any]], *, caption: str = "") -> Markup:
    """Rows of cells under a head; numbers, and the heads of columns of numbers, stand to the right."""
    cells = [list(row) for row in rows]
    right = [_numeric([row[i] for row in cells]) for i in range(len(head))]
    heads = (tag("th", name, scope="col", class_=kind) for name, kind in zip(head, right, strict=True))
    body = (tag("tr", *map(_cell, row)) for row in cells)
    title = tag("caption", caption) if caption else ""
    whole = tag("table", title, tag("thead", tag("tr", *heads)), tag("tbody", *body))
    return tag("div", whole, class_="wide")


def facts(pairs: Mapping[str, Any]) -> Markup:
    """Names and values, as a list of definitions."""
    rows = (tag("div", tag("dt", name), tag("dd", _shown(value))) for name, value in pairs.items())
    return tag("dl", *rows, class_="facts")


def figure(picture: Markup, caption: str) -> Markup:
    return tag("figure", picture, tag("figcaption", caption))


def section(title: str, *children: Any) -> Markup:
    """A part of the page that the list of contents leads to."""
    return tag("section", tag("h2", title), *children, id=title.lower().replace(" ", "-"))


def folded(summary: str, *children: Any) -> Markup:
    return tag("details", tag("summary", summary), *children)


def document(title: str, head: Sequence[Markup], sections: Sequence[Markup]) -> Markup:
    """The whole page, with a list of its sections."""
    names = re.findall(r'<section id="([^"]+)"><h2>([^<]+)', "".join(sections))
    contents = tag("nav", *(tag("a", Markup(name), href=f"#{key}") for key, name in names)) if names else ""
    meta = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
    ]
    style = tag("style", Markup("".join(sheet.read_text(encoding="utf-8") for sheet in STYLES)))
    whole = tag(
        "html", tag("head", *meta, tag("title", title), style), tag("body", *head, contents, *sections), lang="en"
    )
    return join([Markup("<!DOCTYPE html>\n"), whole, Markup("\n")])


def _cell(value: Any) -> Markup:
    aligned = f"{value:#.4g}" if isinstance(value, float) and 1e-4 < abs(value) < 1000 else _shown(value)
    return tag("td", number(value) if _whole(value) else aligned, class_=_numeric([value]))


def _whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _numeric(column: Sequence[Any]) -> str | None:
    """The class of a column that holds numbers, and gaps at most."""
    known = [value for value in column if value != ""]
    right = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in known)
    return "number" if known and right else None


def _shown(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ", ".join(map(number, value)) or ABSENT
    return value if isinstance(value, str) and value else number(value) or ABSENT


def _attribute(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
