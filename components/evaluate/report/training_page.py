"""How the training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.evaluate.report.html import Markup, facts, figure, number, section, table, tag
from components.evaluate.report.plots import Curve, lines

WORDS = {"mae": "mean absolute error", "mse": "mean squared error", "auc": "area under the ROC curve"}
PLOTS = 6


def page(history: Mapping[str, Sequence[float | None]], training: Mapping[str, Any]) -> Markup:
    best = training.get("best_epoch")
    told = {
        "Epochs": training.get("epochs"),
        "Best epoch": best,
        "Seconds": training.get("seconds"),
        "Rows trained on": training.get("rows"),
        "Left out (value missing)": training.get("skipped_missing"),
        "Devices": training.get("devices"),
    }
    names = [name for name in history if not name.startswith("val_") and any(v is not None for v in history[name])]
    plots = [_plot(name, history, best) for name in sorted(names, key=lambda name: name != "loss")[:PLOTS]]
    settings = training.get("settings") or {}
    return section(
        "Training",
        facts({name: value for name, value in told.items() if value is not None}),
        *([tag("p", training["about"])] if training.get("about") else []),
        tag("div", *plots, class_="figures"),
        *_model(training),
        *([tag("h3", "Settings"), facts(settings)] if settings else []),
    )


def _model(training: Mapping[str, Any]) -> list[Markup]:
    layers = training.get("layers") or []
    if not layers:
        return []
    rows = ([layer[key] for key in ("name", "kind", "shape", "weights")] for layer in layers)
    held = sum(layer["weights"] - layer["fitted"] for layer in layers)
    kept = f" {number(held)} of them are not fitted." if held else ""
    said = (
        f"{number(training.get('weights'))} weights.{kept} A question mark stands for the rows of a batch, or any size."
    )
    return [
        tag("h3", "Model"),
        table(["Layer", "Kind", "Output", "Weights"], rows),
        tag("p", said, class_="soft"),
    ]


def _plot(name: str, history: Mapping[str, Sequence[float | None]], best: int | None) -> Markup:
    curves = [_curve("train", history[name])]
    if f"val_{name}" in history:
        curves.append(_curve("validation", history[f"val_{name}"]))
    word = WORDS.get(name, name.replace("_", " "))
    ends = " and ".join(f"{number(_last(curve.y))} ({curve.name})" for curve in curves)
    alt = f"{word} by epoch; it ends at {ends}"
    marked = best if len(history[name]) > 1 else None
    picture = lines(curves, x_label="epoch", y_label=word, alt=alt, mark=marked, whole_x=True)
    dotted = f" The dotted line marks the best epoch, {best}." if marked else ""
    return figure(picture, f"{word[0].upper()}{word[1:]} by epoch. It ends at {ends}.{dotted}")


def _curve(name: str, values: Sequence[float | None]) -> Curve:
    return Curve(name, range(1, len(values) + 1), values)


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)
