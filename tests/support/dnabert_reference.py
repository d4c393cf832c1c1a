"""DNABERT-S once more, in NumPy, head by head and token by token: slow, and written apart from the product's."""

import math

import numpy as np

erf = np.vectorize(math.erf)


def slopes(heads: int) -> list[float]:
    """From the ALiBi authors' released code (get_slopes)."""

    def power_of_two(n: int) -> list[float]:
        start = 2 ** (-(2 ** -(math.log2(n) - 3)))
        return [start * start**i for i in range(n)]

    if math.log2(heads).is_integer():
        return power_of_two(heads)
    closest = 2 ** math.floor(math.log2(heads))
    return power_of_two(closest) + slopes(2 * closest)[0::2][: heads - closest]


def norm(x, state, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
    return x * state[f"{name}.weight"] + state[f"{name}.bias"]


def hidden(ids, state: dict, layers: int, heads: int) -> np.ndarray:
    """float64 [tokens, dim] of one sequence; state: the tensors of model.safetensors as arrays."""
    state = {k: v.astype(np.float64) for k, v in state.items()}
    x = state["embeddings.word_embeddings.weight"][ids] + state["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, state, "embeddings.LayerNorm")
    n, dim = x.shape
    d = dim // heads
    distance = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :])
    for i in range(layers):
        layer = f"encoder.layer.{i}."
        qkv = x @ state[layer + "attention.self.Wqkv.weight"].T + state[layer + "attention.self.Wqkv.bias"]
        out = np.empty_like(x)
        for h, slope in enumerate(slopes(heads)):
            q, k, v = (qkv[:, part * dim + h * d : part * dim + (h + 1) * d] for part in range(3))
            score = q @ k.T / math.sqrt(d) - slope * distance
            weight = np.exp(score - score.max(-1, keepdims=True))
            out[:, h * d : (h + 1) * d] = weight / weight.sum(-1, keepdims=True) @ v
        dense = out @ state[layer + "attention.output.dense.weight"].T + state[layer + "attention.output.dense.bias"]
        x = norm(x + dense, state, layer + "attention.output.LayerNorm")
        gate, up = np.split(x @ state[layer + "mlp.gated_layers.weight"].T, 2, axis=-1)
        inner = gate * 0.5 * (1 + erf(gate / math.sqrt(2))) * up
        x = norm(
            x + inner @ state[layer + "mlp.wo.weight"].T + state[layer + "mlp.wo.bias"], state, layer + "mlp.layernorm"
        )
    return x
