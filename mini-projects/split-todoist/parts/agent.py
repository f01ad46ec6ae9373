# The agent: every tool under one roof, by attribute or by name.
class TodoistAgent(
    TaskTools,
    GtdTools,
    ReminderTools,
    KnowledgeTools,
    WizardIntegration,
):
    """The complete agent; this is the class to import."""

    def tools(self) -> dict[str, str]:
        """List every tool by its name.

        Returns:
            The names in alphabetical order, each with the first line of its docstring.
        """
        catalogue = {}
        for name in sorted(dir(type(self))):
            member = getattr(self, name)
            hidden = name.startswith("_") or name in ("tools", "call")
            if callable(member) and not hidden:
                catalogue[name] = (member.__doc__ or "").partition("\n")[0]
        return catalogue

    def call(self, tool: str, **arguments: Any) -> Response:
        """Call a tool by its name, as a model would.

        Args:
            tool: the tool's name.
            arguments: its arguments by name.

        Returns:
            The tool's response; an unknown tool or a wrong argument is an error.
        """
        if tool not in self.tools():
            return self._error(f"no tool called {tool!r}")
        try:
            response: Response = getattr(self, tool)(**arguments)
        except TypeError as error:
            return self._error(f"{tool}: {error}")
        return response
