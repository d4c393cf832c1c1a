#!/usr/bin/env python3
"""Print the versions of Python and of the named packages as one line of JSON; a package that is absent is an error."""

import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from virnucpro.errors import end_without

try:
    print(json.dumps({"python": platform.python_version()} | {name: version(name) for name in sys.argv[1:]}))
except PackageNotFoundError as e:
    end_without(e.name)
