"""The encoders. A folder for each kind: `description` says all that others need to know of it, and needs no PyTorch."""
