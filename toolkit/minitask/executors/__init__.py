"""Turn a task into a change: the spec's own edit script, a model behind an HTTP API, or an agent program.

`request.ExecutorRequest` goes in, `request.ExecutorResult` comes out; `registry.make_executor` makes the executor of a
type. `prompt.user_prompt` is all that a model is told, `http.Http` the only way to the network, `endpoint.ChatExecutor`
the one client of model APIs; the agent programs are in `agents/`.
"""
