"""Read a chat model's reply, given what the model was shown and asked: a change, or an `EditError`."""
