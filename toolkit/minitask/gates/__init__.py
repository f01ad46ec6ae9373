"""Checks that a change must pass, one file each. A gate gives a `result.GateResult`; it never raises.

Start at `scope.check_scope`, `scope.check_complete` and `lint.check_lint`, which collects the checks of new file
contents: imports, code that is refused, and changes beside the task. The folder for validations looks for tests that
no longer test; `review` and `verification` ask a model.
"""
