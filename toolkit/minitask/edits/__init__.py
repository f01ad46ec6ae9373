"""The edit script and replies: how they are written, read, matched and applied. Text in, text out.

Start at `apply_script.apply_script` (a script and its files to a change), `grammar.parse_script` (fences to a script),
`reply.read.parse_reply` (a model's reply to a script, or why it goes back) and `checker.check_specs` (every diagnostic
of specs that are to be run).
"""
