"""Forges: pull requests and issues of GitHub and GitLab, over their REST APIs.

Start at `forge_at.open_forge` (which forge and repository a remote is), `forge.Forge` (what both can do),
`publish.publish_tasks` (a proven branch becomes a pull request) and `forge_text.goal_of`.
"""
