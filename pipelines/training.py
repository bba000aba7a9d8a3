"""The one pipeline. Everything that differs between runs is a parameter, so one graph serves every task."""

from contextlib import nullcontext
from typing import Dict, List

from kfp import dsl

from components import ops
from pipelines.kubeflow import combined_steps


def pipeline(
    *, sparing: bool = False, concluding: bool = False, scheduled: bool = False, sent: bool = False, few: bool = False
):
    """The graph, flat as kfp's local runners need it, or with what only a cluster can do.

    Sparing, nothing runs after `resolve` where its answer is that the outcome is being served already. Concluding, a
    last step fails where the gate rejected. Scheduled, the backend is asked for when the run was due. Sent, versions
    remember the run by its id: a run of a schedule has no name. Few, cheap neighbours are one step.
    """

    @dsl.pipeline(
        name="sluice",
        description="From raw data to a served Keras model: ingest, validate, transform, train, evaluate, rehearse and "
        "push.",
    )
    def training(
        task: str,
        destination: str,
        model: str = "",
        data: str = "sample",
        data_dir: str = "",
        seed: int = 0,
        overrides: Dict[str, str] = {},  # noqa: B006 (kfp reads it once, as the default in pipeline.yaml)
        beam_args: List[str] = [],  # noqa: B006
        force: str = "",
        publish: bool = True,
        keep: int = 0,
        schedule: str = "",
        timezone: str = "",
        warm_start: bool = False,
        analysis: str = "",
        state: str = "",
    ):
        """Train one model of one task and push it if it clears the task's gate.

        Args:
            task: Which task, by name: a file of the tasks folder.
            destination: The directory that is served: versions go to destination/task/version.
            model: Which of the task's models; empty for its first.
            data: "sample", "real", or a glob of CSV, JSON lines, Parquet or TFRecord files. {date} and {previous_date}
                in it stand for the day the run is scheduled for, and for the day before.
            data_dir: Where the real data set's files lie, for machines without internet.
            seed: Seeds the weights and the order of the rows.
            overrides: Settings by name, such as {"train.epochs": "3"}.
            beam_args: Options for Apache Beam, such as ["--runner=DataflowRunner"].
            force: A reason to push past the gate; it goes into the provenance. Empty to respect the gate.
            publish: Whether a model that clears the gate is pushed; false to train and judge it only.
            keep: How many versions stay at the destination; 0 for all.
            schedule: The cron expression and time zone that start the run, if any: tells {date} where the backend does
                not.
            timezone: On whose calendar {date} is a day: a zone such as Europe/Berlin, one with a shift such as
                UTC+01:00, or empty for the clock of the machine.
            warm_start: Whether to start from the serving model's weights, as far as their shapes agree.
            analysis: Where analyses of large data are kept for later runs: a directory or URL; empty to keep none.
            state: Where the state of a fit is kept for another pod to go on: a directory or URL; empty for nowhere.
        """
        resolve = ops.resolve(
            task=task,
            model=model,
            data=data,
            data_dir=data_dir,
            destination=destination,
            seed=seed,
            overrides=overrides,
            scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER if scheduled else "",
            schedule=schedule,
            timezone=timezone,
            warm_start=warm_start,
        )
        resolve.set_caching_options(False)
        found = resolve.outputs

        with dsl.If(found["serving"] == 0, name="if-new") if sparing else nullcontext():
            ingesting = {
                "task": task,
                "data": found["data"],
                "data_dir": data_dir,
                "snapshot": found["snapshot"],
                "beam_args": beam_args,
            }
            validating = {"task": task, "destination": destination, "champion": found["champion"]}
            if few:
                ingest = validate = combined_steps.ingest_and_validate(
                    **ingesting | validating, ingest_code=found["ingest_code"], validate_code=found["validate_code"]
                )
            else:
                ingest = ops.ingest(**ingesting, code=found["ingest_code"])
                validate = ops.validate(
                    **validating, code=found["validate_code"], statistics=ingest.outputs["statistics"]
                )
            examples, statistics = ingest.outputs["examples"], ingest.outputs["statistics"]

            transform = ops.transform(
                task=task,
                settings=found["preprocess_settings"],
                beam_args=beam_args,
                analysis=analysis,
                code=found["transform_code"],
                examples=examples,
            ).after(validate)

            train = ops.train(
                task=task,
                model_name=found["model"],
                settings=found["train_settings"],
                seed=seed,
                start=found["start"],
                state=state,
                code=found["train_code"],
                examples=examples,
                transform_graph=transform.outputs["transform_graph"],
            )

            rehearsing = {"task": task, "examples": examples, "model": train.outputs["model"]}
            evaluating = rehearsing | {
                "model_name": found["model"],
                "data": found["data"],
                "destination": destination,
                "champion": found["champion"],
                "force": force,
                "statistics": statistics,
                "anomalies": validate.outputs["anomalies"],
                "transform_graph": transform.outputs["transform_graph"],
            }
            pushing = {
                "task": task,
                "destination": destination,
                "champion": found["champion"],
                "inputs": found["inputs"],
                "run": dsl.PIPELINE_JOB_ID_PLACEHOLDER if sent else dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
                "force": force,
                "publish": publish,
                "keep": keep,
                "parameters": found["parameters"],
                "statistics": statistics,
                "model": train.outputs["model"],
            }
            if few:
                evaluate = push = combined_steps.evaluate_and_push(**evaluating | pushing)
            else:
                evaluate = ops.evaluate(**evaluating, code=found["evaluate_code"])
                rehearse = ops.rehearse(**rehearsing, code=found["rehearse_code"])
                push = ops.push(
                    **pushing,
                    blessing=evaluate.outputs["blessing"],
                    rehearsal=rehearse.outputs["rehearsal"],
                    judged=evaluate.outputs["report"],
                )
            push.set_caching_options(False)
            if concluding:
                ops.conclude(
                    publish=publish,
                    blessed=evaluate.outputs["blessed"],
                    version=push.outputs["version"],
                    reasons=push.outputs["reasons"],
                ).set_caching_options(False)

    return training


training = pipeline()
