"""What the scripts of bin/ share."""

import sys

from virnucpro.environment import end_without_package

# Set here, as the scripts import NumPy and others through these modules, before they reach a `main` of theirs.
sys.excepthook = end_without_package
