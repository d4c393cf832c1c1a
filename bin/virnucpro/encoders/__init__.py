"""The two encoders. Each file holds one transformer, top to bottom."""
