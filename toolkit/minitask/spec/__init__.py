"""Parse and check specs: Markdown in, frozen values and diagnostics out. Nothing here touches the machine.

Start at `model.Spec`, `parse.parse_file` (Markdown to specs), `quality`, `checks` and `project` (which make
diagnostics) and `rules` (what each diagnostic means).
"""
