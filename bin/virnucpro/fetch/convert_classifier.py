"""VirNucPro's classifiers (300_model.pth, 500_model.pth) into safetensors.

The authors saved the whole module (`torch.save(model, ...)`), a pickle of a class MLPClassifier defined in `__main__`:
hidden_layer Linear(3328, 512), bn1 BatchNorm1d(512), output_layer Linear(512, 2), dropout. Only its tensors are taken.
https://github.com/Li-Jing-1997/VirNucPro (train.py)
"""

from pathlib import Path

from virnucpro.bundle.layout import classifier_tensors
from virnucpro.errors import ModelError
from virnucpro.fetch.checkpoint import Placeholder, read_checkpoint
from virnucpro.fetch.convert import pick, state_dict
from virnucpro.fetch.stored import StoredTensor

EPSILON = 1e-5  # of the batch norm, PyTorch's default; what CLASSIFY computes with


def from_virnucpro(path: Path, features: int) -> dict[str, StoredTensor]:
    """The tensors of a classifier that reads `features` values; a plain state dict is accepted as well."""
    content = read_checkpoint(path)
    if isinstance(content, Placeholder):
        if content.name != "MLPClassifier":
            raise ModelError(f"{path}: holds a {content.name}, not VirNucPro's MLPClassifier.")
        epsilon = children(content).get("bn1", content).state.get("eps")
        if epsilon != EPSILON:
            raise ModelError(f"{path}: its batch norm has eps {epsilon!r}, VirNucPro's {EPSILON}.")
        content = flatten(content)
    return pick(path, state_dict(path, content), classifier_tensors(features, 2))


def children(module: Placeholder) -> dict[str, Placeholder]:
    return {k: v for k, v in mapping(module, "_modules").items() if isinstance(v, Placeholder)}


def flatten(module: Placeholder) -> dict[str, object]:
    """The parameters and buffers of a module's direct children, by the names they have in its state dict."""
    found: dict[str, object] = {}
    for name, child in children(module).items():
        own = mapping(child, "_parameters") | mapping(child, "_buffers")
        found |= {f"{name}.{part}": value for part, value in own.items()}
    return found


def mapping(module: Placeholder, key: str) -> dict:
    found = module.state.get(key)
    return found if isinstance(found, dict) else {}
