"""The edit script and replies: how they are written, read, matched and applied. Text in, text out.

Start at `apply_script.apply_script` (a script and its files to a change), `grammar.parse_script` (fences to a script),
`reply.read.parse_reply` (a model's reply to a script, or the error to send back) and `checker.check_specs` (all
diagnostics of specs before a run).
"""
