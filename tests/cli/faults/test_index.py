"""Every class of faults that archspec survives, and the tests that try it. A class needs several inputs.

A test counts as many inputs as it has parameters; one that Hypothesis feeds counts as many.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MANY = 100

SOURCE = "tests.language.test_source"
HOSTILE = "tests.language.test_hostile"
SCHEMA = "tests.language.test_schema"
EXPRESSIONS = "tests.language.test_expressions"
TEXT = "tests.cli.faults.test_text:test_every_command_refuses_it"
OUTPUTS = "tests.cli.faults.test_outputs"
PROCESS = "tests.cli.faults.test_process"
WEIGHTS = "tests.cli.faults.test_weights"
BAD = "tests.language.test_bad_specs:test_diagnostics"

CLASSES: dict[str, tuple[str, ...]] = {
    "faults by the thousand": (
        "tests.cli.faults.test_many:test_many_faults_cost_little",
        "tests.cli.faults.test_many:test_the_stages_that_there_are_do_not_fill_the_screen",
        "tests.cli.faults.test_many:test_the_first_faults_have_hints",
        "tests.cli.faults.test_many:test_an_excerpt_of_a_very_long_line_shows_its_middle",
    ),
    # grids of cells
    "cells whose files are damaged": (
        "tests.lab.test_cells:TestTheFolder.test_a_damaged_file_is_set_aside_told_and_worked_on_again",
        "tests.lab.test_cells:TestTheFolder.test_a_folder_of_another_version",
    ),
    "cells that fail": (
        "tests.lab.test_cells:TestFailures.test_a_number_that_is_not_finite_is_an_outcome_and_kept",
        "tests.lab.test_cells:TestFailures.test_what_is_not_plain_data_is_a_failure_that_is_told",
        "tests.lab.test_cells:TestFailures.test_a_process_that_dies_is_replaced_and_takes_no_other_cell_along",
    ),
    "runs of a grid that end early": (
        "tests.lab.test_cells:TestEnding.test_killed_twice_and_resumed_it_gives_the_same",
        "tests.lab.test_cells:TestEnding.test_ctrl_c_ends_the_processes_too_and_keeps_what_is_done",
        "tests.lab.test_cells:TestTheFolder.test_a_full_disk_keeps_the_cells_that_are_done",
    ),
    "clusters that do not answer": (
        "tests.lab.test_engines:test_something_else_than_ray_answers",
        "tests.lab.test_engines:test_what_is_no_address_of_ray",
    ),
    # code that a spec would like to run
    "names that would become Python": (
        f"{HOSTILE}:test_no_name_of_a_spec_reaches_a_model_unchecked",
        f"{HOSTILE}:test_no_stage_and_no_fragment_has_such_a_name",
        TEXT,
    ),
    "a reference that would run something": (
        "tests.cli.test_verify:test_a_spec_runs_no_code_and_reads_no_file",
        "tests.cli.test_verify:test_wrong_arguments",
        "tests.verification.test_own_reference:test_what_names_no_network_of_a_library",
    ),
    "a reference that would load weights": (
        "tests.verification.test_own_reference:test_every_argument_outside_the_table_is_refused",
        "tests.verification.test_own_reference:test_every_other_value_is_refused",
    ),
    "a file that would run in place of a library": (
        "tests.cli.test_import_path:test_verify_imports_nothing_beside_the_spec",
        "tests.cli.test_import_path:test_the_python_functions_import_nothing_beside_the_spec",
    ),
    "names of files that would be commands": ("tests.cli.test_hostile_names:test_the_name_of_a_file",),
    "archives that readers read differently": (
        "tests.weights.test_hostile_archives:test_an_archive_that_readers_may_read_differently",
    ),
    "pickles that make more than they have": (
        "tests.weights.test_hostile_archives:test_a_pickle_that_makes_more_than_it_has",
    ),
    "key maps that take long": ("tests.weights.test_hostile_key_maps:test_a_megabyte_of_any_shape_is_read_in_seconds",),
    "text that would steer a terminal": (
        "tests.cli.test_render:test_what_could_steer_a_terminal_is_shown_as_its_number",
        "tests.cli.test_messages:test_terminal_output_of_a_hostile_spec_is_harmless",
        TEXT,
    ),
    "text that would be a workflow command": (
        "tests.cli.test_github:test_a_name_is_escaped",
        "tests.cli.test_github:test_nothing_of_a_diagnostic_begins_a_command_of_its_own",
        "tests.cli.test_github:test_a_hostile_folder",
    ),
    "text that would be a link in a log": (
        "tests.cli.test_sarif:test_what_sarif_would_read_as_a_link_or_a_placeholder_is_text",
        "tests.cli.test_sarif:test_any_name_can_be_written",
    ),
    # YAML
    "nesting without end": (f"{SOURCE}:TestLimits.test_nesting", TEXT),
    "aliases that multiply": (f"{SOURCE}:TestLimits.test_an_alias_bomb", TEXT),
    "aliases inside what they repeat": (f"{SOURCE}:TestRefusals.test_aliases_without_a_value", TEXT),
    "merge keys": (f"{SOURCE}:TestRefusals.test_merge_keys", TEXT),
    "keys written twice": (f"{SOURCE}:TestRefusals.test_a_key_written_twice", TEXT),
    "scalars that YAML 1.1 reads otherwise": (
        f"{SOURCE}:TestScalars.test_reasons",
        f"{SOURCE}:TestScalars.test_ambiguous",
    ),
    "tags": (f"{SOURCE}:TestRefusals.test_tags", TEXT),
    "keys that are no text": (f"{SOURCE}:TestRefusals.test_keys_that_are_no_text", TEXT),
    "not one mapping": (f"{SOURCE}:TestRefusals.test_not_one_mapping", TEXT),
    "characters that no text has": (f"{SOURCE}:TestRefusals.test_not_text", TEXT),
    "bytes that are not UTF-8": (f"{SOURCE}:TestFiles.test_not_utf_8", TEXT),
    "numbers that are none": (f"{SOURCE}:TestScalars.test_not_finite", TEXT),
    "files that are too large": (
        f"{SOURCE}:TestLimits.test_a_large_file_of_faults_takes_no_time",
        f"{SOURCE}:TestFiles.test_a_large_file_is_not_read",
        TEXT,
    ),
    "scalars that trip the parser": (
        f"{SOURCE}:TestRefusals.test_not_yaml",
        f"{SOURCE}:TestWithoutLibyaml.test_refusals",
    ),
    "any bytes at all": (
        "tests.language.test_fuzz:test_any_bytes",
        f"{SOURCE}:test_any_bytes_give_a_document_or_known_faults",
    ),
    # the schema
    "keys that nobody knows": (f"{SCHEMA}:test_an_unknown_key_is_one_fault_with_the_nearest_name", BAD),
    "values that only begin well": (f"{SCHEMA}:test_patterns_match_the_whole_text", BAD),
    "references of a schema to elsewhere": (f"{SCHEMA}:test_nothing_is_fetched", f"{SCHEMA}:test_it_is_a_schema"),
    "messages and lists without end": (
        f"{SCHEMA}:test_messages_are_cut",
        f"{HOSTILE}:test_thousands_of_faults_take_no_time",
        "tests.cli.test_messages:test_at_most_fifty_diagnostics_are_printed",
        "tests.cli.test_github:test_fifty_are_shown_and_all_are_counted",
    ),
    # expressions
    "expressions of another language": (f"{EXPRESSIONS}:test_refused_text", TEXT),
    "expressions that are long, deep or large": (f"{EXPRESSIONS}:test_hostile_text_takes_no_time", BAD),
    "expressions without a value": (f"{EXPRESSIONS}:test_no_value", BAD),
    "fractions where a whole number is needed": (f"{EXPRESSIONS}:test_refused_conversions", BAD),
    "definitions in a circle": (f"{HOSTILE}:test_thousands_of_faults_take_no_time", BAD),
    # shapes
    "sizes of no network": (BAD, f"{HOSTILE}:test_huge_numbers"),
    "counts and widths of a billion": (f"{HOSTILE}:test_huge_numbers",),
    "fragments that double": (f"{HOSTILE}:test_fragments_that_double_at_each_of_thirty_levels",),
    "steps nested through fragments": (f"{HOSTILE}:test_steps_nested_through_fragments",),
    # files that are read
    "files that read each other": (f"{HOSTILE}:test_circles", f"{HOSTILE}:test_chains"),
    "files outside the folder": (f"{HOSTILE}:test_paths_outside_the_folder",),
    "links in a loop": (f"{HOSTILE}:test_links_in_a_loop", f"{WEIGHTS}:test_a_key_map_that_is_no_file"),
    "pipes and devices": (
        f"{HOSTILE}:test_pipes_and_devices",
        f"{WEIGHTS}:test_a_key_map_that_is_no_file",
        "tests.cli.test_process:test_what_is_no_regular_file_does_not_block",
    ),
    "names that no file has": (f"{HOSTILE}:test_names_of_no_file", f"{HOSTILE}:test_names_that_are_not_utf_8"),
    "what a pipe sends": ("tests.cli.faults.test_text:test_what_a_pipe_sends",),
    # files that are written
    "an output that is there, is an input, is a link, or cannot be": (
        f"{OUTPUTS}:test_a_map_that_cannot_be_written",
        "tests.cli.test_files:test_a_place_that_cannot_be_written",
        "tests.cli.test_files:test_links_are_not_followed",
        f"{WEIGHTS}:test_what_is_read_is_not_written_over",
        "tests.cli.test_every_target:test_an_output_that_cannot_be_written",
    ),
    "an output of no target, or an option of another": (
        "tests.cli.test_choosing:test_what_chooses_no_target",
        "tests.cli.test_every_target:test_an_option_of_another_target_is_refused_by_name",
        "tests.cli.test_every_target:test_weights_for_a_target_without_any",
    ),
    "texts that would end what they stand in": (
        "tests.cli.test_every_target:test_a_hostile_text_gives_a_safe_file",
        "tests.cli.test_every_target:test_a_hostile_option_gives_a_safe_file",
        "tests.cli.test_every_target:test_a_hostile_command_and_file",
    ),
    "a graph in JSON that cannot be": (
        "tests.emit.test_graph_from_json:test_what_is_not_a_graph",
        "tests.emit.test_graph_from_json:test_what_cannot_be",
        "tests.emit.test_graph_from_json:test_a_mutated_graph_is_refused_or_is_a_graph",
    ),
    "a disk that is full": (
        f"{OUTPUTS}:test_a_disk_that_fills_up_in_the_middle",
        f"{OUTPUTS}:test_a_disk_that_fills_up_while_weights_are_saved",
        f"{OUTPUTS}:test_a_disk_that_is_full_while_a_file_is_made_safe",
        f"{OUTPUTS}:test_a_device_that_is_full",
        "tests.cli.test_every_target:test_what_fails_at_the_end_leaves_the_old_file",
        f"{OUTPUTS}:test_output_without_a_buffer_is_the_same",
    ),
    "an end in the middle of a write": (
        "tests.cli.test_process:test_an_end_in_the_middle_of_a_write",
        f"{OUTPUTS}:test_a_signal_keeps_the_old_file",
        f"{OUTPUTS}:test_an_interrupt_at_any_line_before_the_work_leaves_nothing",
        "tests.cli.test_files:test_what_fails_leaves_the_old_file",
    ),
    # the process
    "a reader who has seen enough": (
        f"{OUTPUTS}:test_the_first_line_is_enough",
        "tests.cli.test_process:test_a_pipe_whose_reader_is_gone_is_no_fault",
    ),
    "streams that are closed": (f"{OUTPUTS}:test_streams_that_are_closed",),
    "interrupts": (
        f"{OUTPUTS}:test_a_signal_keeps_the_old_file",
        "tests.cli.test_process:test_an_interrupt_while_waiting_for_standard_input",
    ),
    "a locale of ASCII": (
        f"{PROCESS}:test_a_locale_of_ascii",
        f"{PROCESS}:test_forms_for_machines_in_a_locale_of_ascii",
    ),
    "no terminal": (f"{PROCESS}:test_a_session_without_a_terminal",),
    "nowhere to write": (
        f"{PROCESS}:test_nowhere_to_write",
        f"{PROCESS}:test_building_with_nowhere_else_to_write",
    ),
    "a working directory that is gone": (f"{PROCESS}:test_a_working_directory_that_is_gone",),
    "limits of the system": (
        f"{PROCESS}:test_limits_of_the_system",
        f"{PROCESS}:test_memory_that_runs_out",
        "tests.cli.faults.test_text:test_all_of_it_in_one_process_with_little_memory",
    ),
    # weights
    "pickles that run code": ("tests.weights.test_weights:test_a_pickle_is_not_run",),
    "files that are no weights": (
        f"{WEIGHTS}:test_what_is_no_weights_file",
        "tests.weights.test_weights:test_files_that_are_not_weights",
        "tests.weights.test_weights:test_an_exported_program_is_not_loaded",
        "tests.cli.test_build_weights:test_bad_files",
    ),
    "keys that are missing, extra or misshapen": (
        "tests.weights.test_weights:test_every_missing_extra_and_misshapen_key_is_listed",
        "tests.weights.test_weights:test_all_keys_of_another_network_are_listed_in_order",
        f"{WEIGHTS}:test_a_size_that_is_only_claimed",
    ),
    "values that cannot be loaded": (
        f"{WEIGHTS}:test_values_that_are_no_plain_numbers",
        f"{WEIGHTS}:test_a_tensor_beside_a_state_dict",
        "tests.weights.test_weights:test_a_value_that_cannot_be_loaded",
    ),
    "casts and numbers that are not finite": (
        "tests.weights.test_weights:test_an_unrequested_cast_is_a_warning",
        "tests.weights.test_weights:test_numbers_that_are_not_finite_are_said",
    ),
    "files that are no key map": (
        f"{WEIGHTS}:test_what_is_no_key_map",
        "tests.weights.test_key_maps:test_files_that_are_not_key_maps",
    ),
}


def found(name: str) -> Callable[..., Any]:
    """The test `module:name` or `module:Class.name`."""
    module, _, path = name.partition(":")
    value: Any = importlib.import_module(module)
    for part in path.split("."):
        value = getattr(value, part)
    assert callable(value)
    return value  # type: ignore[no-any-return]


def inputs(test: Callable[..., Any]) -> int:
    """How many inputs a test gets: the product of its parameters."""
    if hasattr(test, "hypothesis"):
        return MANY
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    return math.prod(len(mark.args[1]) for mark in marks)


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_of_faults_has_several_inputs(name: str) -> None:
    tests = CLASSES[name]
    assert len(set(tests)) == len(tests)
    assert sum(inputs(found(test)) for test in tests) >= 2


def test_every_test_of_this_folder_is_in_the_index() -> None:
    named = {test for tests in CLASSES.values() for test in tests}
    for path in Path(__file__).parent.glob("test_*.py"):
        if path != Path(__file__):
            module = importlib.import_module(f"tests.cli.faults.{path.stem}")
            functions = inspect.getmembers(module, inspect.isfunction)
            tests = {f"{module.__name__}:{name}" for name, _ in functions if name.startswith("test_")}
            assert tests <= named
