"""What came of a run, as its report says it: open when the evaluation writes the page, settled when push knows."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from components.storage import atomic_files

# Whatever else stands in a page is escaped, so nothing in it looks like these.
BEGIN, END = b"<!--outcome-->", b"<!--/outcome-->"


@dataclass(frozen=True)
class Outcome:
    """A title, a sentence and reasons; `kind` is the colour they are shown in."""

    kind: Literal["good", "held", "bad"]
    title: str
    sentence: str
    reasons: Sequence[str] = ()


def judged(blessing: Mapping[str, Any]) -> Outcome:
    """What the evaluation knows. Whether the model is pushed is decided later."""
    if not blessing["blessed"]:
        return Outcome("bad", "✗ Rejected by the gate", "", blessing["reasons"])
    return Outcome(
        "held",
        "Clears the gate; not pushed yet",
        "The model clears every bar. It has yet to be tried in a clean process and to be held against what is served "
        "then. The step push writes this page again, with what came of it.",
    )


def pushed(version: int, path: str, reasons: Sequence[str], force: str) -> Outcome:
    where = f"It is served from {path}."
    if not reasons:
        return Outcome("good", f"✓ Pushed as version {version}", where)
    return Outcome(
        "held", f"Pushed by force as version {version}", f"{where} The reason given: {force}. Against it was:", reasons
    )


def serving(version: int, reasons: Sequence[str]) -> Outcome:
    if not reasons:
        return Outcome("good", f"✓ Version {version} serves this model already", "There was nothing to push.")
    return Outcome("bad", "✗ Rejected", f"Nothing was pushed. Version {version}, which stays, is this model:", reasons)


def not_pushed(blessing: Mapping[str, Any], reasons: Sequence[str], *, asked: bool = True) -> Outcome:
    if blessing.get("blessed") is not True:
        return Outcome("bad", "✗ Rejected", "Nothing was pushed:", reasons)
    if reasons:
        return Outcome("held", "Held back", "The model clears every bar of the gate, and was not pushed:", reasons)
    return Outcome("good", "✓ Clears the gate", "It was to be judged only, not to be pushed." if not asked else "")


def banner(outcome: Outcome) -> str:
    """As HTML."""
    reasons = "".join(f"<li>{html.escape(str(reason))}</li>" for reason in outcome.reasons)
    said = f"<p>{html.escape(outcome.sentence)}</p>" if outcome.sentence else ""
    listed = f"<ul>{reasons}</ul>" if reasons else ""
    shown = f'<div class="verdict {outcome.kind}"><strong>{html.escape(outcome.title)}</strong>{said}{listed}</div>'
    return f"{BEGIN.decode()}{shown}{END.decode()}"


def settle(page: Path | str, target: Path | str, outcome: Outcome) -> None:
    """The evaluation's page again, saying what came of it."""
    before, begin, rest = Path(page).read_bytes().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"Expected a report that an evaluation wrote. Received: {str(page)!r}, which is none.")
    atomic_files.write_bytes(target, before + banner(outcome).encode(errors="replace") + after)
