"""Shuffled sequences: what a caller holds for viral there, composition alone has told it.

Of one base: any order. Of two: every word of two bases is kept, as often as it was. Such a sequence is a random
Eulerian path through the graph whose edges are the words (Altschul and Erickson 1985); its last edges are a random
tree.
"""

import numpy as np


def shuffled(sequence: bytes, words: int, random: np.random.Generator) -> bytes:
    """`sequence` with the same bases (words: 1) or the same pairs of neighbours (2), in random order."""
    letters = np.frombuffer(sequence, dtype=np.uint8)
    if words == 1 or len(letters) < 3:
        return random.permutation(letters).tobytes()
    names, code = np.unique(letters, return_inverse=True)
    followers = [random.permutation(code[1:][code[:-1] == letter]) for letter in range(len(names))]
    tree = _last_edges([f.tolist() for f in followers], int(code[-1]), random)
    ways = []
    for letter, after in enumerate(followers):
        way = after.tolist()
        if letter in tree:
            way.remove(tree[letter])
            way.append(tree[letter])
        ways.append(iter(way))
    at, path = int(code[0]), [int(code[0])]
    for _ in range(len(code) - 1):
        at = next(ways[at])
        path.append(at)
    return names[path].tobytes()


def _last_edges(followers: list[list[int]], end: int, random: np.random.Generator) -> dict[int, int]:
    """Of each letter that has a follower, but `end`, the one that it is left by last: a random tree towards `end`, by
    random walks without their loops (Wilson 1996)."""
    tree: dict[int, int] = {}
    for start, after in enumerate(followers):
        walk: dict[int, int] = {}
        at = start
        while after and at != end and at not in tree:
            walk[at] = followers[at][random.integers(len(followers[at]))]
            at = walk[at]
        at = start
        while after and at != end and at not in tree:
            tree[at] = walk[at]
            at = walk[at]
    return tree
