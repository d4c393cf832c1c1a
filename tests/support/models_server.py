"""A file server on 127.0.0.1 that resumes, redirects and states hashes as public ones do, and misbehaves on demand."""

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """How the server answers one request. Each is used once, in order; then it behaves.

    status: answer with this status. cut: send so many of the bytes, then break off. claim: add this to Content-Length.
    extra: send these bytes after the file. ignore_range: answer a range with the whole file. shift: answer a range
    with one that starts so many bytes off. replace: serve these bytes instead. headers: added to the answer.
    """

    status: int | None = None
    cut: int | None = None
    claim: int = 0
    extra: bytes = b""
    ignore_range: bool = False
    shift: int = 0
    replace: bytes | None = None
    headers: dict = field(default_factory=dict)


class FileServer:
    """Serves `files` (path -> bytes). `faults`: path -> Faults. `requests`: (path, Range or None) as they came."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.redirects: dict[str, str] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.on_request: Callable[[str], None] = lambda path: None
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                server.answer(self)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # connections that were broken off on purpose
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "FileServer":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def answer(self, h: BaseHTTPRequestHandler) -> None:
        path, asked = h.path, h.headers.get("Range")
        self.requests.append((path, asked))
        self.on_request(path)
        waiting = self.faults.get(path)
        fault = waiting.pop(0) if waiting else Fault()
        if path in self.redirects:
            h.send_response(302)
            h.send_header("Location", self.redirects[path])
            for name, value in fault.headers.items():
                h.send_header(name, value)
            h.send_header("Content-Length", "0")
            h.end_headers()
            return
        content = self.files.get(path) if fault.replace is None else fault.replace
        status = fault.status or (404 if content is None else 200)
        if status != 200 or content is None:
            self.send(h, status, b"no such thing", fault)
            return
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        found = re.fullmatch(r"bytes=(\d+)-", asked or "")
        fresh = h.headers.get("If-Range") in (None, etag)
        if found and fresh and not fault.ignore_range:
            start = int(found[1])
            if start >= len(content):
                self.send(h, 416, b"", fault)
                return
            start += fault.shift
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send(h, 206, content[start:], fault, {"ETag": etag, "Content-Range": span})
        else:
            self.send(h, 200, content, fault, {"ETag": etag, "Accept-Ranges": "bytes"})

    def send(self, h: BaseHTTPRequestHandler, status: int, body: bytes, fault: Fault, headers=()) -> None:
        h.send_response(status)
        for name, value in {**dict(headers), **fault.headers}.items():
            h.send_header(name, value)
        h.send_header("Content-Length", str(len(body) + len(fault.extra) + fault.claim))
        h.end_headers()
        body = (body + fault.extra)[: fault.cut]
        h.wfile.write(body)
        h.wfile.flush()
        if fault.cut is not None or fault.claim:
            h.close_connection = True
            h.connection.close()
