"""The watcher as people use it: in a pipe, and in a real terminal (tmux)."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
from simulated_events import FakeTask, write_plan
from simulated_run import HOSTILE


def command(root, *args):
    return [sys.executable, str(root / "bin" / "watch_run.py"), *map(str, args)]


def watch(root, *args, **more):
    return subprocess.run(command(root, *args), capture_output=True, encoding="utf-8", timeout=60, **more)


def finish(work, skip=()):
    plan = write_plan(work)
    for part in plan["encoders"].values():
        for planned in part["tasks"]:
            if planned["task"] not in skip:
                task = FakeTask(work, planned["task"], planned["frames"])
                task.start()
                task.end()
    return plan


def test_pipe_once(root, tmp_path):
    finish(tmp_path / "work", skip=("esm2_002",))
    task = FakeTask(tmp_path / "work", "esm2_002", 1006, attempt=3)
    task.start()
    task.fail(HOSTILE, "out of memory with one frame")
    task.progress(100)
    done = watch(root, tmp_path, "--once")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout and "\u202e" not in done.stdout
    lines = [re.sub(r"^\S+ \S+  ", "", text) for text in done.stdout.splitlines()]
    assert lines[0].startswith("dnabert_s_001 done on gpu-node-01 A100-SXM4-40GB GPU-00000000: 1,003/1,003 frames")
    failed = next(text for text in lines if "FAILED" in text)
    assert failed.startswith("esm2_002 FAILED frame <script>") and failed.endswith("out of memory with one frame")
    totals = next(text for text in lines if text.startswith("DNABERT-S"))
    assert "DNABERT-S 2/2 tasks, 2,009/2,009 frames (100.0 %)" in totals
    assert "ESM-2 1/2 tasks, 1,103/2,009 frames" in totals and "1 failed" in totals
    assert lines[-1].strip().startswith("esm2_002 gpu-node-01") and "attempt 3" in lines[-1]


def test_pipe_until_the_end(root, tmp_path):
    """It waits for the run to begin, joins, and leaves by itself when all is done."""
    watcher = subprocess.Popen(command(root, tmp_path), stdout=subprocess.PIPE, encoding="utf-8")
    time.sleep(1)
    finish(tmp_path / "work")
    out, _ = watcher.communicate(timeout=30)
    assert watcher.returncode == 0
    assert "no embedding task has begun" in out
    assert "ESM-2 2/2 tasks" in out.splitlines()[-1]


def test_it_gives_up_when_all_open_tasks_are_dead(root, tmp_path):
    finish(tmp_path / "work", skip=("esm2_002",))
    task = FakeTask(tmp_path / "work", "esm2_002", 1006)
    task.start()
    task.exit(70)
    done = watch(root, tmp_path, "--give_up", "0.5")
    assert done.returncode == 1
    assert "ENDED EARLY, exit 70" in done.stdout
    assert "these tasks are missing: esm2_002 (dead)" in done.stderr


def test_a_wrong_folder_is_an_error_of_use(root, tmp_path):
    done = watch(root, tmp_path / "absent")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "no such folder" in done.stderr


def test_interrupt_leaves_quietly(root, tmp_path):
    watcher = subprocess.Popen(
        command(root, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )
    assert "no embedding task" in watcher.stdout.readline()
    watcher.send_signal(signal.SIGINT)
    _, err = watcher.communicate(timeout=20)
    assert (watcher.returncode, err) == (0, "")


class Terminal:
    """A tmux session of its own server, 100 columns by 20 rows."""

    def __init__(self, folder):
        self.socket = str(folder / "tmux")

    def tmux(self, *args):
        done = subprocess.run(["tmux", "-S", self.socket, *args], capture_output=True, encoding="utf-8", timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, words, seconds=25.0):
        """The screen, as soon as `words` are on it."""
        end = time.time() + seconds
        while time.time() < end:
            if words in (screen := self.tmux("capture-pane", "-p")):
                return screen
            time.sleep(0.2)
        raise AssertionError(f"{words!r} is not on the screen:\n{screen}")


@pytest.fixture
def terminal(tmp_path):
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed: the watcher's live display was NOT tested in a terminal")
    terminal = Terminal(tmp_path)
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    subprocess.run(
        ["tmux", "-f", "/dev/null", "-S", terminal.socket, "new-session", "-d", "-x", "100", "-y", "20", "bash --norc"],
        env=environment,
        check=True,
    )
    yield terminal
    terminal.tmux("kill-server")


def test_terminal(root, tmp_path, terminal):
    work = tmp_path / "work"
    plan = write_plan(work)
    first = FakeTask(work, "dnabert_s_001", 1003)
    first.start()
    first.fail("\x1b[31m[bold]" + HOSTILE, "out of memory with one frame")
    first.progress(500)
    terminal.tmux("send-keys", " ".join(command(root, tmp_path)), "Enter")
    screen = terminal.until("queue: 3 tasks")
    assert re.search(r"dnabert_s_001 GPU-00000000 ━+.* 500/1,003 [\d,]+ tokens/s .*1 failed", screen)
    assert "\\x1b[31m[bold]<script>" in screen
    assert re.search(r"DNABERT-S +━+.* 0/2 tasks +500/2,009 frames", screen)
    # It follows without being asked.
    first.progress(900)
    assert "900/2,009 frames" in terminal.until("900/1,003")
    # A smaller window holds it still.
    terminal.tmux("resize-window", "-x", "60", "-y", "12")
    terminal.until("DNABERT-S")
    terminal.tmux("resize-window", "-x", "100", "-y", "20")
    # Leave, come back, find what happened meanwhile.
    terminal.tmux("send-keys", "C-c")
    terminal.tmux("send-keys", "clear; echo LEFT=$?", "Enter")
    terminal.until("LEFT=0")
    first.end()
    dead = FakeTask(work, "esm2_001", 1003)
    dead.start()
    dead.exit(137)
    terminal.tmux("send-keys", "clear; " + " ".join(command(root, tmp_path)), "Enter")
    screen = terminal.until("ended early, exit 137")
    assert "1/2 tasks" in screen and "queue: 2 tasks: dnabert_s_002, esm2_002" in screen
    # It leaves by itself when all is done.
    for part in plan["encoders"].values():
        for planned in part["tasks"]:
            if planned["task"] != "dnabert_s_001":
                task = FakeTask(work, planned["task"], planned["frames"], attempt=2)
                task.start()
                task.end()
    terminal.until("all tasks are done")
    terminal.tmux("send-keys", "echo STATUS=$?", "Enter")
    terminal.until("STATUS=0")
