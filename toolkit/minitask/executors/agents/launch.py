"""Shared parts of agents' command lines: prompts in files, paths that are no options, keys by variable."""

from __future__ import annotations

from minitask.executors.agents.adapter import Job

PROMPT_FILE = "prompt.md"
"""Where the prompt is below the home, for the agents that read it from a file."""
NO_KEY = "unused"
"""In place of a key for an endpoint of the config's own that has none: the user's key is not for it."""
_BY_NAME = (("claude", "ANTHROPIC"), ("gemini", "GEMINI"), ("deepseek", "DEEPSEEK"))


def prompt_bytes(job: Job) -> bytes:
    """Return the prompt as standard input."""
    return job.prompt.encode("utf-8", "replace")


def prompt_path(job: Job) -> str:
    """Return where `Invocation.files` puts the prompt, absolute."""
    return str(job.home / PROMPT_FILE)


def plain(path: str) -> str:
    """Return a path as an argument: never to be taken for an option."""
    return f"./{path}" if path.startswith("-") else path


def unless_given(job: Job, flag: str, value: str) -> tuple[str, ...]:
    """Return a flag and its value, except for a user who gives that flag in `extra_args`."""
    given = any(arg == flag or arg.startswith(f"{flag}=") for arg in job.extra_args)
    return () if given else (flag, value)


def endpoint_variables(job: Job, *, url: str, key: str) -> dict[str, str]:
    """Return the variables `url` and `key` name, for a program with one provider.

    Where the config names an endpoint of its own without a key, the key is set to a word: a key that the user has for
    the provider itself must not go there.
    """
    if job.base_url:
        return {url: job.base_url, key: job.key or NO_KEY}
    return {key: job.key} if job.key else {}


def litellm_model(job: Job) -> str:
    """Return the model as LiteLLM names it: one at an endpoint of the config's own is spoken to as OpenAI's."""
    own = job.base_url and not job.model.startswith("openai/")
    return f"openai/{job.model}" if own else job.model


def litellm_variables(job: Job) -> dict[str, str]:
    """Return the endpoint and its key for what is built on LiteLLM, and its price list as it was shipped."""
    key = "OPENAI_API_KEY" if job.base_url else key_variable(job.model)
    return {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        **endpoint_variables(job, url="OPENAI_API_BASE", key=key),
    }


def key_variable(model: str) -> str:
    """Return the variable that holds the key for a model called `PROVIDER/NAME` or just `NAME`."""
    provider, slash, _ = model.partition("/")
    if slash:
        return f"{provider.upper().replace('-', '_')}_API_KEY"
    known = next((name for start, name in _BY_NAME if model.startswith(start)), "OPENAI")
    return f"{known}_API_KEY"
