"""Shell sessions for commands that are not trusted, in bubblewrap or Landlock."""
