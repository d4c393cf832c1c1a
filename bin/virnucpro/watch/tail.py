"""Reading an event file that is still being written, over a shared file system: each byte once."""

import json
import os
from pathlib import Path

# A watcher that joins after days must not read days of progress: of a file larger than both together, only the
# beginning (the start) and the end (the present counts, which are cumulative) are read.
HEAD_BYTES = 1 << 16
TAIL_BYTES = 1 << 18


class EventFile:
    """One task's `<task>.events.jsonl`."""

    def __init__(self, path: Path):
        self.path = path
        self.bad_lines = 0
        self._offset = 0
        self._rest = b""  # the last line, as long as its end is not written

    def read(self) -> list[dict]:
        """Events written since the last call, oldest first; [] where there are none or the file cannot be read now."""
        try:
            # Opened anew each time: NFS shows what another node wrote when a file is opened.
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._offset:  # written anew
                    self._offset, self._rest = 0, b""
                if size == self._offset:
                    return []
                blocks = []
                if self._offset == 0 and size > HEAD_BYTES + TAIL_BYTES:
                    head = file.read(HEAD_BYTES)
                    blocks.append(head[: head.rfind(b"\n") + 1])
                    file.seek(size - TAIL_BYTES)
                    file.readline()  # from the middle of a line to its end
                else:
                    file.seek(self._offset)
                blocks.append(self._rest + file.read(size - file.tell()))
                self._offset = file.tell()
        except OSError:
            return []
        whole, end, self._rest = b"".join(blocks).rpartition(b"\n")
        return [event for line in (whole + end).splitlines() if (event := self._parse(line)) is not None]

    def _parse(self, line: bytes) -> dict | None:
        try:
            event = json.loads(line)
            if isinstance(event, dict) and isinstance(event.get("time"), (int, float)) and "event" in event:
                return event
        except ValueError:
            pass
        self.bad_lines += bool(line.strip())
        return None
