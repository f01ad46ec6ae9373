"""What a spec says: Markdown in, frozen values and diagnostics out. Nothing here touches the machine."""
