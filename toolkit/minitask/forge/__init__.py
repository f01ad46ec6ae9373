"""Forges: pull requests and issues of GitHub and GitLab, over their REST APIs.

Start at `forge_at.open_forge` (find a remote's forge and repository), `forge.Forge` (the operations of both),
`publish.publish_tasks` (open pull requests for proven branches) and `forge_text.goal_of`.
"""
