"""Many tasks at once: their order, who is asked when, here or on a cluster, and how it all looks."""
