#!/usr/bin/env python3
"""Print the versions of Python and of the named packages as one line of JSON; a package that is absent is an error."""

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from virnucpro.environment import without_package
from virnucpro.errors import EXIT_USAGE

try:
    print(json.dumps({"python": platform.python_version()} | {name: version(name) for name in sys.argv[1:]}))
except PackageNotFoundError as e:
    print(without_package(e.name), file=sys.stderr)
    sys.exit(EXIT_USAGE)
