"""Many tasks at once: order, schedule, provider batches, a cluster, the graph, sharing.

Start at `load_project.run_project`; `schedule` runs tasks when what they wait for has landed, `batch_calls` gathers
calls for a provider's batch API, `task_graph.task_graph` draws, `sync.sync` shares refs with a remote.
"""
