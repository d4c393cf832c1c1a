"""How a classifier is trained: the recipes that can be named, the one that measured best first (docs/training.md)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Of one training.

    rule: how a chunk's score comes from its frames' (calling/calls.py). optimiser: adamw or sgd. decay: factor on the
    learning rate after every `decay_every` epochs. patience: epochs without a better validation loss, after which
    training ends. members: parts of the hidden layer that learn each by itself; the logits are the mean of theirs.
    dropout: of hidden units. smoothing: of labels. standardise: features have the mean 0 and the deviation 1 of the
    training set (folded into the first layer at the end). balance: both labels weigh the same, however many frames each
    has; else every frame does.
    """

    rule: str = "mean"
    optimiser: str = "adamw"
    learning_rate: float = 3e-4
    momentum: float = 0.0
    weight_decay: float = 1e-3
    decay: float = 1.0
    decay_every: int = 10
    batch_size: int = 256
    epochs: int = 200
    patience: int = 20
    members: int = 1
    dropout: float = 0.5
    smoothing: float = 0.0
    standardise: bool = True
    balance: bool = True


RECIPES = {
    "ensemble": Recipe(learning_rate=1e-3, weight_decay=3e-2, members=8, smoothing=0.1),
    # VirNucPro's network, rule and plain cross entropy, trained with an optimiser of today.
    "single": Recipe(rule="best", balance=False),
    # As VirNucPro's authors published it (train.py): plain SGD on features as they are.
    "virnucpro": Recipe(
        rule="best",
        optimiser="sgd",
        learning_rate=2e-4,
        momentum=0.9,
        weight_decay=0.0,
        decay=0.85,
        batch_size=32,
        standardise=False,
        balance=False,
    ),
}
