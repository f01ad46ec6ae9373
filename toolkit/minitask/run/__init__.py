"""A task's life: found, checked, worked, proven, landed, recorded. Everything that can go wrong ends in a verdict."""
