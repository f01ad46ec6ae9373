"""Git: objects, refs, trees, merges, history, remotes. No command of a spec runs here."""
