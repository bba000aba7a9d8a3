"""How Beam runs: in this process unless the user names another runner."""

from __future__ import annotations

from apache_beam.options.pipeline_options import PipelineOptions

from components import beam_runners

# Always named: Beam's own default first looks for a binary on the internet.
IN_PROCESS = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def pipeline_options(beam_args: list[str]) -> PipelineOptions:
    beam_runners.check(beam_args)
    return PipelineOptions(beam_args if beam_runners.named(beam_args) else [*beam_args, f"--runner={IN_PROCESS}"])
