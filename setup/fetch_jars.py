#!/usr/bin/env python3
"""fetch_jars.py LOCK DIR: fetch the jars that LOCK names from Maven Central into DIR and check each one's SHA-256."""

import hashlib
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import MavenContext


def fetch(maven: MavenContext, line: str, folder: Path) -> str | None:
    """Fetch one jar; returns what is wrong, or None."""
    coordinate, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    source = maven.project(group, artifact).at_version(version).artifact().resolve()
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != sha256:
        return f"{coordinate}: SHA-256 is {found}, {sha256} was expected; remove {source} and try again"
    part = folder / f"{artifact}-{version}.jar.part"
    shutil.copyfile(source, part)
    part.replace(folder / f"{artifact}-{version}.jar")
    return None


def main() -> int:
    # requests has a variable of its own for a site's certificates; pip, OpenSSL and curl know others.
    known = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE")
    if bundle := next((os.environ[name] for name in known if os.environ.get(name)), None):
        os.environ["REQUESTS_CA_BUNDLE"] = bundle
    lock, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    lines = [x for x in lock.read_text(encoding="utf-8").splitlines() if x and not x.startswith("#")]
    maven = MavenContext()
    with ThreadPoolExecutor(8) as pool:
        wrong = [w for w in pool.map(lambda line: fetch(maven, line, folder), lines) if w]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
