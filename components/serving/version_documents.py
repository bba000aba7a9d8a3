"""What lies beside a pushed model, read back as if anybody could have written it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from components.storage.store import Store

EXTRA = "assets.extra"
PROVENANCE = "provenance.json"
# What everybody who reads a provenance counts on, where it has an entry of that name.
KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("task", "model", "model_sha256", "fingerprint", "run", "inputs", "champion", "force"), str),
    **dict.fromkeys(("pushed_at", "first_pushed_at", "git"), str),
    **dict.fromkeys(("metrics", "rows", "source", "predictions", "parameters", "versions"), dict),
    **dict.fromkeys(("reasons", "gate", "label_values", "withdrawn"), list),
    "rejected": int,
    "copied_from": (int, type(None)),
}


def paper(place: Store, version: str, name: str) -> Any:
    """What the document says, None where there is none; ValueError where it cannot be understood."""
    try:
        content = place.read(f"{version}/{EXTRA}/{name}")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{place.where(version)}/{EXTRA}/{name} cannot be read: {error.strerror or error}.") from error
    try:
        return json.loads(content, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        where = f"{place.where(version)}/{EXTRA}/{name}"
        raise ValueError(f"Expected a whole JSON file. Received: {where!r}, which is damaged: {error}.") from error


def provenance(place: Store, version: str) -> tuple[dict[str, Any], str]:
    """The version's provenance, empty if it was not pushed by us; and what is wrong with one that is of no use."""
    try:
        found = paper(place, version, PROVENANCE)
    except ValueError as error:
        return {}, str(error)
    if found is None:
        return {}, ""
    odd = [] if isinstance(found, dict) else ["it"]
    odd = odd or [repr(name) for name, kind in KINDS.items() if not isinstance(found.get(name, _any(kind)), kind)]
    odd = odd or ["'rows'"] * any(type(count) is not int for count in found.get("rows", {}).values())
    if odd:
        where = f"{place.where(version)}/{EXTRA}/{PROVENANCE}"
        return {}, f"Expected a provenance of ours. Received: {where!r}, in which {odd[0]} is of another kind."
    return found, ""


def _any(kind: type | tuple[type, ...]) -> Any:
    return kind() if isinstance(kind, type) else None


def _finite(words: str) -> float:
    number = float(words)
    if not math.isfinite(number):
        raise ValueError(f"{words} is no finite number")
    return number
