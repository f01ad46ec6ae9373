"""minitask: small Markdown specs in, proven and merged git branches out."""

__version__ = "0.1.0"
