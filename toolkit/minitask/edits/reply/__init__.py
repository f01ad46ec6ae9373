"""Read a chat model's reply against what the model was shown and asked: a change, or an `EditError`."""
