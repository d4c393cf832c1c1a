"""Published shapes of the encoders, and small ones to try things with. Needs no PyTorch."""

# Layers, width, heads of ESM-2
ESM2_SHAPES = {
    "tiny": (2, 64, 4),
    "8M": (6, 320, 20),
    "35M": (12, 480, 20),
    "150M": (30, 640, 20),
    "650M": (33, 1280, 20),
    "3B": (36, 2560, 40),
    "15B": (48, 5120, 40),
}
# Layers, width, heads, width of the gated layer, tokens of DNABERT-S
DNABERT_S_SHAPES = {"tiny": (2, 96, 12, 192, 4096), "published": (12, 768, 12, 3072, 4096)}
