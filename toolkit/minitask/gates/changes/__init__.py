"""What a change does beside its task: lost, stripped, doubled, disguised or unfinished text. Start at `rewrites`."""
