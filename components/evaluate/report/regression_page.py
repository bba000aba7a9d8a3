"""How near a predicted number comes to the true one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from components.evaluate.report.html import Markup, figure, number, section, tag
from components.evaluate.report.plots import POINTS, histogram, scatter
from tasks import Task


def page(task: Task, predictions: pd.DataFrame) -> Markup:
    truth = predictions["label"].to_numpy(float)
    predicted = predictions["prediction"].to_numpy(float)
    errors = predicted - truth
    name, unit = task.label.name, f" ({task.label.about})" if task.label.about else ""
    some = np.isfinite(errors).any()
    within = np.nanpercentile(np.abs(errors), [50, 90]) if some else [np.nan, np.nan]
    mean = float(np.nanmean(errors)) if some else np.nan
    shown = f" {number(POINTS)} of {number(len(truth))} rows are drawn." if len(truth) > POINTS else ""
    against = scatter(
        truth,
        predicted,
        x_label=f"true {name}{unit}",
        y_label=f"predicted {name}",
        alt=f"Predicted against true {name} of the test rows, around the diagonal",
    )
    spread = histogram(
        {"error": errors},
        x_label=f"predicted less true {name}",
        y_label="test rows",
        alt=f"Histogram of the errors; half are within {number(float(within[0]))}",
        mark=0.0,
    )
    return section(
        "Evaluation",
        tag(
            "div",
            figure(
                against, f"Predicted against true {name}: a perfect model's points lie on the dashed diagonal.{shown}"
            ),
            figure(
                spread,
                f"Errors, with the dotted line at none. Half of them are within {number(float(within[0]))}, "
                f"nine of ten within {number(float(within[1]))}; the mean is {number(mean)}.",
            ),
            class_="figures",
        ),
    )
