"""`minitask init`: set a repository up."""

from __future__ import annotations
