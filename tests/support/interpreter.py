"""Importing this has the process's Triton kernels run in Triton's interpreter: on a CPU, in numpy.

Import it at the top of a test's file: the choice is made when Triton is first imported. Processes that a test starts
are none the wiser.
"""

import os
import sys

assert "triton" not in sys.modules, "Triton was imported before its interpreter was chosen"
_before = os.environ.get("TRITON_INTERPRET")
os.environ["TRITON_INTERPRET"] = "1"

import triton.experimental.gluon  # noqa: E402, F401  the first launch imports it, and would find the other choice
from triton.runtime import interpreter  # noqa: E402

from virnucpro.encoders import kernels  # noqa: E402, F401

if _before is None:
    del os.environ["TRITON_INTERPRET"]
else:
    os.environ["TRITON_INTERPRET"] = _before


def _with_index(patch):
    """Triton 3.6 asks int() of an array of one number, which numpy gives since 2.4 only where it has no dimension."""

    def patched(tensor, scope) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    return patched


interpreter._patch_lang_tensor = _with_index(interpreter._patch_lang_tensor)
