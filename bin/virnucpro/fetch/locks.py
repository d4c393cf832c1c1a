"""Only one fetch at a time writes into a bundle; a second one waits and then finds the work done."""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from virnucpro.errors import ModelError

LOCK = ".fetch.lock"


@contextmanager
def locked(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the bundle's lock; the kernel gives it back when the process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        f = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as e:
        raise ModelError(f"{folder}: cannot be written ({e.strerror}). Give --models a folder of your own.") from e
    with f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            f.seek(0)
            say(f"{folder}: another fetch is at work ({f.read().strip() or 'unknown'}); waiting for it")
            fcntl.flock(f, fcntl.LOCK_EX)
        except OSError as e:
            raise ModelError(
                f"{folder}: its file system has no locks ({e.strerror}), so two fetches could spoil each other's work. "
                "Fetch into a local folder and copy it here."
            ) from e
        f.seek(0)
        f.truncate()
        f.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        f.flush()
        yield
