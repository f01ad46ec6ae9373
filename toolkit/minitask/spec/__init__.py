"""Parse and check specs: Markdown in, frozen values and diagnostics out. Nothing here touches the machine."""
