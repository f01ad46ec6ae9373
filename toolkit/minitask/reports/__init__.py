"""From values to what people and programs read: terminal, Markdown, HTML, SVG, JSON, SARIF.

A renderer takes records, events or diagnostics and returns text. It decides nothing, measures
nothing and prints nothing: the engine yields data, the words are chosen here, and only the command
line writes them out.
"""
