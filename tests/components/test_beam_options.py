"""What is remembered of Beam's looks at options and functions is what Beam would have found."""

import inspect

import apache_beam as beam
from apache_beam.options.pipeline_options import StandardOptions, TypeOptions
from apache_beam.transforms import core

from components.beam_options import IN_PROCESS, pipeline_options


class Keyed(beam.DoFn):
    def process(self, element, timestamp=beam.DoFn.TimestampParam, suffix="!"):
        yield element + suffix


class OtherKeyed(Keyed):
    def process(self, element, suffix="?"):
        yield element + suffix


def test_a_view_is_made_once_and_shares_its_values_with_all_others():
    options = pipeline_options(["--no_pipeline_type_check"])
    assert options.view_as(TypeOptions) is options.view_as(TypeOptions)
    assert options.view_as(TypeOptions).pipeline_type_check is False
    assert options.view_as(StandardOptions).runner == IN_PROCESS
    options.view_as(StandardOptions).streaming = True
    assert options.view_as(TypeOptions).view_as(StandardOptions).streaming


def test_another_runners_options_are_beams_own():
    assert type(pipeline_options(["--runner=FlinkRunner"])).__module__.startswith("apache_beam.")


def test_the_arguments_of_each_method_are_those_that_beam_finds_itself():
    pipeline_options([])
    remembering, own = core.get_function_args_defaults, core.get_function_args_defaults.__wrapped__
    functions = [Keyed.process, Keyed.from_callable, len, lambda a, b=2: a]
    for instance in (Keyed(), OtherKeyed(), Keyed()):
        methods = [method for _, method in inspect.getmembers(instance, inspect.ismethod)]
        for function in [*functions, *methods]:
            assert remembering(function) == own(function)


def test_a_caller_may_keep_what_it_got():
    pipeline_options([])
    arguments, defaults = core.get_function_args_defaults(Keyed().process)
    arguments.clear(), defaults.clear()
    assert core.get_function_args_defaults(Keyed().process)[0] == ["element", "timestamp", "suffix"]
    assert core.get_function_args_defaults(Keyed().process)[1][1] == "!"
