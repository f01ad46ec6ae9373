"""Run many tasks: order, schedule, provider batches, a cluster, the graph, synchronization.

Start at `load_project.run_project`; `schedule` runs tasks when their dependencies have landed, `batch_calls` collects
calls for a provider's batch API, `task_graph.task_graph` builds the graph, `sync.sync` shares refs with a remote.
"""
