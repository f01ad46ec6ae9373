"""Render values for people and programs: terminal, Markdown, HTML, SVG, JSON, SARIF.

A renderer takes records, events or diagnostics and returns text. It decides, measures and prints nothing: the engine
provides the data, renderers choose the words, and only the command line prints them.
"""
