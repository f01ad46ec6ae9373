"""Turn a task into a change: by the spec's own edit script, a model behind an HTTP API, or an agent program.

`request.ExecutorRequest` goes in, `request.ExecutorResult` comes out. `registry.make_executor` makes an executor of any
type. `prompt.user_prompt` builds the prompt, `http.Http` sends all requests, `endpoint.ChatExecutor` is the base of all
model APIs; the agent programs are in `agents/`.
"""
