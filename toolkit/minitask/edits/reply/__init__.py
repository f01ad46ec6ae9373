"""What a chat model's reply means, read against what the model was shown and asked: a change, or an `EditError`."""
