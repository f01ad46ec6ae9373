"""Shell sessions for commands that are not trusted, in bubblewrap or Landlock.

Start at `choose_sandbox.choose_sandbox` and `shell_session.run_commands`.
"""
