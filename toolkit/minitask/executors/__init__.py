"""Executors turn a task into a change: the spec's own edit script, or a model behind an HTTP API.

`model.py` holds the one protocol that they share. A new executor is one file here. `http.py` is the
only door to the network; `prompt.py` is all that a model is ever told.
"""
