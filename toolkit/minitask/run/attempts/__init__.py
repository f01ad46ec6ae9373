"""A task's life: prepared, asked for, judged, reviewed, repaired or sent up, recorded, and finished."""
