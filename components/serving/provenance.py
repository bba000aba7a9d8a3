"""All that a pushed directory knows of where it came from."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components import code
from components.serving import trained_until
from components.serving.versions import now


def provenance(
    blessing: Mapping[str, Any],
    statistics: Mapping[str, Any],
    rehearsal: Mapping[str, Any],
    *,
    run: str,
    inputs: str,
    champion: str,
    force: str,
    parameters: Mapping[str, str],
    label_values: Sequence[int | str],
    began_with: str = "",
) -> dict[str, Any]:
    """The document that lies beside the model, as far as it is known before the copy.

    `began_with` is until when the version learned whose weights this one began with.
    """
    by = statistics.get("splits", {}).get("by", "")
    return {
        "task": blessing["task"],
        "model": blessing.get("model_name", ""),
        "model_sha256": blessing["model_sha256"],
        "blessed": blessing.get("blessed") is True,
        "metrics": blessing.get("metrics", {}),
        "fingerprint": statistics.get("fingerprint", ""),
        "rows": statistics.get("rows", {}),
        "rejected": statistics.get("rejected", {}).get("count", 0),
        "source": statistics.get("source", {}),
        **(
            {trained_until.FIELD: {by: trained_until.latest(trained_until.of_rows(statistics, by), began_with)}}
            if by
            else {}
        ),
        "gate": blessing.get("bars", []),
        "reasons": [*blessing.get("reasons", []), *rehearsal.get("reasons", [])],
        "predictions": blessing.get("predictions", {}),
        "loaders": [name for name, error in rehearsal.get("loaders", {}).items() if not error],
        "run": run,
        "inputs": inputs,
        "champion": champion,
        "force": force,
        "parameters": dict(parameters),
        "label_values": list(label_values),
        "pushed_at": now(),
        "versions": library_versions(),
        "git": git_revision(),
        "copied_from": None,
    }


def library_versions() -> dict[str, str]:
    """What a result may depend on, as installed here."""
    installed = {name: version for name, version in code.libraries().items() if version}
    return {**installed, "python": platform.python_version()}


def git_revision() -> str:
    """The commit of this code, with -dirty if tracked files were changed since; empty outside of a repository."""
    here = Path(__file__)
    git = ["git", "-C", str(here.parent)]
    try:
        # An installed copy may lie in somebody else's repository, untracked.
        subprocess.run([*git, "ls-files", "--error-unmatch", here.name], check=True, capture_output=True, timeout=10)
        describe = [*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(describe, check=True, capture_output=True, timeout=10, text=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
