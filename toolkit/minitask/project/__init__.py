"""Many tasks at once: order, schedule, provider batches, a cluster, the graph, sharing."""
