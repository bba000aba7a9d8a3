"""Amounts of CPU and memory as Kubernetes writes them, and requests that stay within their limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from tasks import InputError

KEYS = ("cpu", "cpu_limit", "memory", "memory_limit")
UNITS = {letter: 1000**n for n, letter in enumerate("KMGTPE", 1)}
UNITS |= {f"{letter}i": 1024**n for n, letter in enumerate("KMGTPE", 1)}


def amount(text: str) -> Fraction:
    """500m of a CPU is a half, 1Ki of memory 1024."""
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
    assert found is not None, text
    number, unit = found.groups()
    return Fraction(number) * (Fraction(1, 1000) if unit == "m" else UNITS.get(unit, 1))


def room(asked: Mapping[str, str], usual: tuple[str, ...]) -> dict[str, str]:
    """What was asked for and else the usual, of which a limit gives way to a request, and a request to a limit."""
    found = dict(zip(KEYS, usual, strict=True)) | dict(asked)
    for request in ("cpu", "memory"):
        limit = f"{request}_limit"
        if amount(found[request]) > amount(found[limit]):
            found[request] = found[limit] = found[request if request in asked else limit]
    return found


def check(step: str, asked: Mapping[str, str]) -> None:
    """No request above the limit that was given with it, which Kubernetes refuses."""
    for request in ("cpu", "memory"):
        least, most = asked.get(request), asked.get(f"{request}_limit")
        if least and most and amount(least) > amount(most):
            raise InputError(
                f"The step {step} cannot request more {request} than its limit. Expected at most {request}_limit = "
                f"{most!r}. Received: {request} = {least!r}."
            )


def check_shared(shm: str, limit: str) -> None:
    """What lies in shared memory counts as memory of the step."""
    if shm and amount(shm) > amount(limit):
        raise InputError(
            f"The trainer's shared memory is part of its memory. Expected shm up to its limit of {limit}, or a higher "
            f"resources.train.memory_limit in the profile. Received: {shm!r}."
        )
