"""`runs/index.html`: one file that needs nothing else; of earlier pages what has not changed is taken over."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from components.storage import atomic_files
from pipelines.local import run_record
from pipelines.runs_page import gather

NAME = "index.html"
HERE = Path(__file__).parent
DATA = '<script type="application/json" id="runs">'
# Changes with what a row holds, so that rows of another making are not taken over.
KIND = hashlib.sha256((HERE / "gather.py").read_bytes()).hexdigest()[:12]


def write(runs: Path) -> Path:
    """The page of all runs as they are now."""
    known = {row["run"]: row for row in _rows_of(runs / NAME)}
    rows = [_row(runs, path, known) for path in run_record.records(runs)]
    atomic_files.write_bytes(runs / NAME, _page(rows).encode(errors="replace"))
    return runs / NAME


def _row(runs: Path, path: Path, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    about = path.stat()
    state = f"{KIND}:{about.st_size}:{about.st_mtime_ns}"
    kept = known.get(path.parent.name, {})
    # What was running may have been killed, which its record does not tell.
    if kept.get("state") == state and kept["status"] != "running":
        return kept
    return gather.row(runs, run_record.load(path.parent), state)


def _rows_of(page: Path) -> list[dict[str, Any]]:
    """Those in an earlier page; none if there is none, or it is no page of ours."""
    try:
        data = page.read_text(encoding="utf-8").partition(DATA)[2].partition("</script>")[0]
        return list(json.loads(data)) if data else []
    except (OSError, ValueError):
        return []


def _page(rows: list[dict[str, Any]]) -> str:
    script = (HERE / "page.js").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    sheets = (files("components") / "colours.css", HERE / "page.css")
    style = "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    data = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    # Whatever got into a record, nothing but this script runs, and nothing is loaded.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="{policy}"/>
<title>Runs</title><style>{style}</style></head>
<body><h1>Runs</h1><p id="said" class="soft"></p>
<div id="tools"></div><section id="compared"></section><div class="wide"><table id="list"></table></div>
{DATA}{data}</script>
<script>{script}</script></body></html>
"""
