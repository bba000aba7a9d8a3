"""How the names in a task's folder are told apart: versions, what is being filled, what is being taken away."""

import re

STAGED, PRUNED = ".incoming-", ".pruned-"
STALE_SECONDS = 3600
# TF Serving reads a version's name as a 64-bit integer.
LARGEST = 2**63 - 1


def is_number(name: str) -> bool:
    """Whether the name is a version's."""
    return bool(re.fullmatch(r"[0-9]{1,19}", name)) and int(name) <= LARGEST
