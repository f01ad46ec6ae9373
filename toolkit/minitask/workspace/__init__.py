"""Checkouts for validations and agents, and the user's files that are shared with them.

Start at `incremental.IncrementalCheckout` (a workspace that is brought from commit to commit), `checkout.Workspace`
(how git makes one) and `agent_workspace.open_agent_workspace`.
"""
