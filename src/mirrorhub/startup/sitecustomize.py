"""Stands first on PYTHONPATH where `mirrorhub run` started a program, and routes it and every Python that it starts.

Any Python may read this file, an old one and one without mirrorhub, too: it must parse everywhere and break nothing.
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
# The program sees the path that it would have seen; its children are told by PYTHONPATH again.
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]

try:
    if os.environ.get("MIRRORHUB_INSTALL") == "1":
        from mirrorhub.installation import install

        install()
except ImportError:
    pass
