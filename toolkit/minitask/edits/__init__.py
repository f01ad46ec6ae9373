"""The edit script: its grammar, how it matches, how it applies. Text in, text out; nothing here touches the machine."""
