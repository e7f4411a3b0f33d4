"""What `pytest --device=double` does not ask, and why; conftest.py obeys, docs/test_cannot_run_on_a_device.py checks.

There every Tensor that a test makes without saying where lives on the strict double of CuPy. A test is listed where
that makes its question another one, not where the package is at fault on a device. A key is a file, a test or one case
of a test, as pytest names it below tests/. `FAILS` still runs and has to fail: what passes is an error, so the list
cannot grow old. `LEFT_OUT` does not run: what would undo the double, what fails by chance only, what measures time or
memory of the double itself, and what takes long and meets no device.
"""

DICE = "it compares bits of a sum of repeats, whose order a device leaves open: the double rolls dice"
PRINTS = "what it prints says which device a Tensor is on"
NUMBERS = "a picture shows the value of a constant where that is in host memory, and asks no device for it"
KERNELS = "it prints a program, which on a GPU has kernels"
SPEED = "it measures the double, not the package"

FAILS: dict[str, str] = {
    "docs/test_pages.py::test_a_page_runs[programs.md]": KERNELS,
    "docs/test_pages.py::test_a_stop_of_the_learning_path_runs_and_makes_its_figures"
    "[10_the_graph_as_a_program]": KERNELS,
    "docs/test_pages.py::test_a_stop_of_the_learning_path_runs_and_makes_its_figures"
    "[11_the_gradient_of_the_gradient]": NUMBERS,
    "drawing/test_dot_text.py::test_the_figures_in_docs_are_what_is_drawn": NUMBERS,
}

LEFT_OUT: dict[str, str] = {
    "docs/test_docstrings.py::test_the_example_of_an_op_runs": PRINTS,
    "engine/test_forward.py::test_raw_arrays_give_raw_results[scatter]": DICE,
    "engine/test_forward.py::test_raw_arrays_give_raw_results[scatter_rows]": DICE,
    "engine/test_forward.py::test_recording_changes_no_value[scatter]": DICE,
    "engine/test_forward.py::test_recording_changes_no_value[scatter_rows]": DICE,
    "engine/test_ownership.py::test_a_training_loop_does_not_grow": SPEED,
    "engine/test_raw_recorded.py::test_raw_and_recorded_agree_bit_for_bit": DICE,
    "engine/test_strict_cupy.py::test_install_is_what_import_finds_and_uninstall_restores":
        "it takes the double out, which has to stay for the session",
    "engine/test_threads.py::test_four_threads_train_as_one_does": DICE,
    "engine/test_threads.py::test_gradients_of_one_model_asked_for_at_once_do_not_mix": DICE,
    "flow/test_flow_record.py::test_uses_of_every_kind_are_replayed_bit_for_bit": DICE,
    "replay/test_replay.py::test_a_language_model_with_a_carried_state": DICE,
    "optim/test_resume.py::test_a_resumed_run_is_the_same_run": DICE,
}


def reason_for(test: str, listed: dict[str, str]) -> str | None:
    """Return why this test is listed, or None."""
    name = test.removeprefix("tests/")
    return next((listed[key] for key in (name, name.partition("[")[0], name.partition("::")[0]) if key in listed), None)
