"""Read source files for the checks: syntax trees, definitions, comments; Python by its own compiler."""
