"""The verdict: every bar of the task against what was measured of the challenger and the champion. Numbers in only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from tasks import Bar

Values = Mapping[str, float | None]
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A metric of both models on the same rows, and how sure the numbers are.

    `difference` is the interval of the challenger's value less the champion's; `p_value`, where there is one, takes
    its place as the test of whether the two differ. It excuses a loss in a slice; without either, any loss counts.
    """

    rows: int
    value: float | None
    interval: Interval | None = None
    champion: float | None = None
    difference: Interval | None = None
    p_value: float | None = None
    where: str = ""


@dataclass(frozen=True)
class Judgement:
    """One bar on all rows or a slice of them, what it was held against, and how it came out; None: not judged."""

    metric: str
    bar: float
    higher_is_better: bool
    tolerance: float
    confidence: float
    where: str
    rows: int
    value: float | None
    interval: Interval | None
    champion: float | None
    difference: Interval | None
    p_value: float | None
    passed: bool | None
    reason: str


@dataclass(frozen=True)
class Finding:
    """One check of whether the evaluation can be believed; `problem` is empty where it can."""

    check: str
    problem: str = ""


def judge(
    bar: Bar, higher: bool, found: Measured, *, rival: bool, confidence: float, improve: bool = False
) -> Judgement:
    """One bar; without a champion (`rival`) only the bar itself counts, with `improve` the champion must be beaten."""
    value = _finite(found.value)
    champion = _finite(found.champion) if rival else None
    subject = f"{bar.metric} ({found.where})" if found.where else bar.metric
    passed: bool | None
    if found.where and found.rows < bar.minimum_rows:
        passed, reason = None, f"is not judged: {_rows(found.rows)}, fewer than {bar.minimum_rows}"
    elif found.where and value is None:
        passed, reason = None, f"is not judged: {bar.metric} cannot be had of these rows"
    else:
        passed, reason = _held(bar, higher, found, value, champion, rival, confidence, improve)
    return Judgement(
        metric=bar.metric,
        bar=bar.bar,
        higher_is_better=higher,
        tolerance=bar.tolerance,
        confidence=confidence,
        where=found.where,
        rows=found.rows,
        value=value,
        interval=found.interval,
        champion=champion,
        difference=found.difference if rival else None,
        p_value=found.p_value if rival else None,
        passed=passed,
        reason=f"{subject} {reason}",
    )


def confidence_of_each(bar: Bar, slices: int) -> float:
    """Bonferroni: so that many slices together raise no more false alarms than one bar may."""
    return 1 - (1 - bar.confidence) / max(slices, 1)


def blessing(
    judgements: Sequence[Judgement], findings: Sequence[Finding] = (), against: Sequence[str] = (), **facts: Any
) -> dict[str, Any]:
    """The document that the pusher demands. Dishonest evaluations bless nothing."""
    reasons = [finding.problem for finding in findings if finding.problem]
    reasons += [*against, *(judgement.reason for judgement in judgements if judgement.passed is False)]
    return {
        "blessed": not reasons,
        "reasons": reasons,
        "bars": [asdict(judgement) for judgement in judgements],
        "honesty": [{**asdict(finding), "passed": not finding.problem} for finding in findings],
        **facts,
    }


def _held(
    bar: Bar,
    higher: bool,
    found: Measured,
    value: float | None,
    champion: float | None,
    rival: bool,
    confidence: float,
    improve: bool,
) -> tuple[bool, str]:
    if value is None:
        return False, "could not be computed from this model's predictions"
    if _worse(value, bar.bar, 0, higher):
        return False, _pair(value, bar.bar, "below" if higher else "above", "the bar")
    if not rival:
        return True, "holds against the bar"
    if champion is None and not found.where:
        return False, "of the champion could not be computed, so nothing shows that this model is no worse"
    if champion is None:
        return True, "holds against the bar; the champion's cannot be had of these rows"
    evidence = _evidence(found, confidence)
    said = f" ({evidence})" if evidence else ""
    if improve and not _worse(champion, value, 0, higher):
        if _decimal(value) == _decimal(champion):
            return False, f"{value:.4g} is also the champion's on the same data, and a tie leaves the champion"
        return False, f"{_pair(value, champion, 'not better than', 'the champion with')} on the same data{said}"
    if not _worse(value, champion, bar.tolerance, higher):
        return True, "holds against the bar and the champion"
    if found.where and not _real(found, higher, confidence):
        chance = f"{_pair(value, champion, 'behind', 'the champion with')}, which may be chance{said}"
        return True, f"holds against the bar; {chance}"
    allowed = f" by more than {bar.tolerance:g}" if bar.tolerance else ""
    return False, f"{_pair(value, champion, 'worse than', 'the champion with')}{allowed}{said}"


def _real(found: Measured, higher: bool, confidence: float) -> bool:
    """Whether a loss to the champion is more than chance."""
    if found.p_value is not None:
        return _decimal(found.p_value) < 1 - _decimal(confidence)
    if found.difference is None:
        return True
    low, high = found.difference
    return high < 0 if higher else low > 0


def _evidence(found: Measured, confidence: float) -> str:
    if found.p_value is not None:
        return f"McNemar's test: p = {found.p_value:.2g}"
    if found.difference is None:
        return ""
    low, high = found.difference
    return f"difference {low:.3g} to {high:.3g} at {confidence * 100:.4g}% confidence"


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


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
