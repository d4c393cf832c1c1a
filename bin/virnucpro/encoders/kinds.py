"""All kinds of encoder, in the order of VirNucPro's features. A new kind is a folder beside this, and a line here."""

from virnucpro.encoders.composition.description import COMPOSITION
from virnucpro.encoders.dnabert_s.description import DNABERT_S
from virnucpro.encoders.esm2.description import ESM2
from virnucpro.encoders.kind import Kind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (DNABERT_S, ESM2, COMPOSITION)}


def colour(name: str) -> str:
    """Of an encoder of the kind `name` in figures, as CSS."""
    return KINDS[name].colour if name in KINDS else "#e69f00"


def label(name: str) -> str:
    """What people call an encoder of the kind `name`; the name itself where it is unknown."""
    return KINDS[name].label if name in KINDS else name
