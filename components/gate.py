"""The verdict: every bar of the task against the challenger's and the champion's metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from tasks import Bar

Values = Mapping[str, float | None]


@dataclass(frozen=True)
class Judgement:
    """One bar, what it was held against, and how it came out."""

    metric: str
    bar: float
    higher_is_better: bool
    tolerance: float
    value: float | None
    champion: float | None
    passed: bool
    reason: str


def judge(
    bars: Sequence[Bar], higher_is_better: Mapping[str, bool], values: Values, champion_values: Values | None
) -> list[Judgement]:
    """Each bar of the gate; without a champion (None) only the bars themselves count."""
    return [_judge(bar, higher_is_better[bar.metric], values, champion_values) for bar in bars]


def blessing(
    judgements: Sequence[Judgement],
    *,
    task: str,
    model_name: str,
    model_sha256: str,
    champion: str,
    metrics: Values,
    champion_metrics: Values | None,
    slices: Mapping[str, Any],
    rows: int,
    equality: Mapping[str, Any],
) -> dict[str, Any]:
    """The document that the pusher demands."""
    reasons = [judgement.reason for judgement in judgements if not judgement.passed]
    return {
        "blessed": not reasons,
        "reasons": reasons,
        "bars": [asdict(judgement) for judgement in judgements],
        "task": task,
        "model_name": model_name,
        "model_sha256": model_sha256,
        "champion": champion,
        "metrics": dict(metrics),
        "champion_metrics": None if champion_metrics is None else dict(champion_metrics),
        "slices": dict(slices),
        "rows": rows,
        "equality": dict(equality),
    }


def _judge(bar: Bar, higher: bool, values: Values, champion_values: Values | None) -> Judgement:
    value = _finite(values.get(bar.metric))
    champion = None if champion_values is None else _finite(champion_values.get(bar.metric))
    if value is None:
        problem = f"{bar.metric} could not be computed from this model's predictions"
    elif _worse(value, bar.bar, 0, higher):
        problem = f"{bar.metric} {_pair(value, bar.bar, 'below' if higher else 'above', 'the bar')}"
    elif champion_values is not None and champion is None:
        problem = f"{bar.metric} of the champion could not be computed, so nothing shows that this model is no worse"
    elif champion is not None and _worse(value, champion, bar.tolerance, higher):
        allowed = f" by more than {bar.tolerance:g}" if bar.tolerance else ""
        problem = f"{bar.metric} {_pair(value, champion, 'worse than', 'the champion with')}{allowed}"
    else:
        problem = ""
    against = "the bar" if champion is None else "the bar and the champion"
    reason = problem or f"{bar.metric} holds against {against}"
    return Judgement(bar.metric, bar.bar, higher, bar.tolerance, value, champion, not problem, reason)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _worse(value: float, limit: float, tolerance: float, higher: bool) -> bool:
    """In the decimals that people write: 0.80 is not worse than 0.81 by more than 0.01."""
    shortfall = _decimal(limit) - _decimal(value) if higher else _decimal(value) - _decimal(limit)
    return shortfall > _decimal(tolerance)


def _decimal(number: float) -> Decimal:
    return Decimal(str(float(number)))


def _pair(value: float, limit: float, relation: str, what: str) -> str:
    """The two numbers with as few digits as tell them apart."""
    short, limit_short = f"{value:.4g}", f"{limit:.4g}"
    if short == limit_short:
        short, limit_short = str(value), str(limit)
    return f"{short} is {relation} {what} {limit_short}"
