"""How a step tells what it is doing now: a marked line in its log, which the local runner shows live."""

from __future__ import annotations

MARK = "» "


def say(text: str) -> None:
    print(f"{MARK}{text}", flush=True)
