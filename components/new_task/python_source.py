"""Python as a formatter would leave it: what fits stands on a line, and else one item a line."""

from __future__ import annotations

from collections.abc import Sequence

from tasks import Feature

WIDTH = 120


def values_name(feature: Feature) -> str:
    """The constant that holds a category's values."""
    return f"{feature.name.upper()}_VALUES"


def call(head: str, items: Sequence[str], indent: int, tail: str = "") -> str:
    """`head(items)tail`, indented; `head` may be empty for a tuple, whose brackets it brings."""
    pad = " " * indent
    comma = "," if not head.rpartition(" ")[2] and len(items) == 1 else ""
    line = f"{pad}{head}({', '.join(items)}{comma}){tail}"
    if len(line) <= WIDTH:
        return line
    body = "".join(f"{pad}    {item},\n" for item in items)
    return f"{pad}{head}(\n{body}{pad}){tail}"


def noted(source: str, words: str) -> str:
    """The source with a comment beside it, or above where there is no room."""
    if not words:
        return source
    if "\n" not in source and len(source) + 4 + len(words) <= WIDTH:
        return f"{source}  # {words}"
    pad = source[: len(source) - len(source.lstrip())]
    return f"{pad}# {words}\n{source}"


def text(value: str) -> str:
    """A string in double quotes where it has none itself."""
    shown = repr(value)
    return shown if '"' in value or shown[0] == '"' or "\\" in shown else f'"{value}"'


def literal(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items()) + "}"
    return text(value) if isinstance(value, str) else number(value) if isinstance(value, float) else repr(value)


def number(value: float) -> str:
    """Few digits, and grouped as people write them."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):_}" if abs(value) >= 10_000 else str(int(value))
    short = f"{value:.4g}"
    return short if "e" not in short else repr(float(short))


def tuple_of(values: Sequence[object]) -> str:
    items = [literal(value) for value in values]
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def words(listed: Sequence[str], indent: int) -> str:
    """A string of words over several lines."""
    lines, line = [], ""
    for word in listed:
        if line and indent + len(line) + len(word) > WIDTH - 10:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    if len(listed) * 8 < WIDTH and not lines:
        return text(line)
    return f'"""{chr(10).join([*lines, line])}"""'
