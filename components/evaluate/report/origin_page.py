"""Where everything came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.evaluate.report.html import Markup, folded, number, section, table, tag
from components.serving.provenance import library_versions


def page(blessing: Mapping[str, Any], statistics: Mapping[str, Any]) -> Markup:
    source = statistics.get("source", {})
    equality = blessing.get("equality", {})
    hashes = {
        "Model (sha256)": blessing["model_sha256"],
        "Champion": blessing.get("champion") or "none",
        "Data fingerprint": statistics.get("fingerprint"),
        "Source": source.get("kind"),
        "Parts of the source": source.get("parts"),
        "Snapshot": source.get("snapshot"),
        "Served path against trained path": f"largest difference {number(equality.get('largest_difference'))} "
        f"in {number(equality.get('rows'))} rows",
    }
    return section(
        "Provenance",
        table(["What", "Value"], ([name, tag("code", number(value))] for name, value in hashes.items() if value)),
        folded("Library versions", table(["Library", "Version"], library_versions().items())),
    )
