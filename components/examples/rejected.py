"""A row that is no example: where it stood, and what was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rejected:
    """A row set aside: `number` is its line or row in the source, `received` what was wrong in this one."""

    number: int
    position: str
    reason: str
    received: str
    row: str

    @property
    def sentence(self) -> str:
        return f"{self.reason}: {self.received}" if self.received else self.reason
