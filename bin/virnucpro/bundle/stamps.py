"""Which large files were hashed already: hashing 6 GB at each start is too slow (20 s on a disk, minutes on a network).

A stamp says: this path, with this SHA-256, had this size, modification time and change time. The change time (ctime)
cannot be set by cp, rsync or tar, so a copied or replaced bundle is hashed anew even where all else was preserved.
Stamps lie in `.checked.json` in the bundle; where that cannot be written, in the user's cache
(`$XDG_CACHE_HOME/nf-virnucpro/checked/`, else `~/.cache/...`); where neither can, nothing is
remembered. The file in the bundle is rewritten in place, not renamed: Nextflow's `-resume` looks at a folder's time.
"""

import hashlib
import json
import os
from pathlib import Path

from virnucpro.bundle.manifest import FileEntry

STAMPS = ".checked.json"
SMALL = 64 << 20  # bytes; a smaller file is hashed each time (a fraction of a second), so it needs no stamp


class Stamps:
    """The remembered checks of one bundle; files below `small` bytes are not remembered."""

    def __init__(self, bundle: Path, small: int = SMALL):
        self.small = small
        self.places = [p for p in (bundle / STAMPS, user_cache(bundle)) if p]
        self.found = [read_stamps(place) for place in self.places]

    def holds(self, path: str, now: dict) -> bool:
        """Whether the file at `path` had this `stamp` when it was hashed: it has not been touched since."""
        return any(known.get(path) == now for known in self.found)

    def add(self, path: str, hashed: dict) -> Path | None:
        """Remember that the file had the SHA-256 of this `stamp`, taken before it was read. Gives the file written."""
        if hashed["size"] < self.small:
            return None
        for place, found in zip(self.places, self.found, strict=True):
            found[path] = hashed
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                # Two at once may tear it: it is no JSON then, is ignored, and costs one more hashing.
                place.write_text(json.dumps({"format": 1, "files": found}, indent=1, sort_keys=True), encoding="utf-8")
                return place
            except OSError:
                continue
        return None


def stamp(entry: FileEntry, file: Path) -> dict:
    """What identifies a file's content without reading it, and the SHA-256 it should have."""
    s = file.stat()
    return {"sha256": entry.sha256, "size": s.st_size, "mtime_ns": s.st_mtime_ns, "ctime_ns": s.st_ctime_ns}


def user_cache(bundle: Path) -> Path | None:
    try:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a container's user without an entry in passwd
        return None
    name = hashlib.sha256(str(bundle.resolve()).encode()).hexdigest()[:24]
    return Path(root) / "nf-virnucpro" / "checked" / f"{name}.json"


def read_stamps(place: Path) -> dict[str, dict]:
    try:
        raw = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    files = raw.get("files") if isinstance(raw, dict) and raw.get("format") == 1 else None
    return files if isinstance(files, dict) else {}
