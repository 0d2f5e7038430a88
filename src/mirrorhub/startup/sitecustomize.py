"""Stands first on PYTHONPATH where `mirrorhub run` has started a program: routes it, and every Python that it starts.

Any Python may come by here, an old one and one without mirrorhub, too. So this parses everywhere, breaks nothing, and
makes room for the `sitecustomize` that would have been found without it.
"""

import importlib
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
_self = sys.modules.pop("sitecustomize", None)
# The program sees the path that it would have seen; the Pythons that it starts come by here again all the same.
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _here]
try:
    importlib.import_module("sitecustomize")
except ImportError as error:
    if getattr(error, "name", "sitecustomize") != "sitecustomize":
        raise
    if _self is not None:
        # There is none: whoever is importing this one must find it where it was.
        sys.modules["sitecustomize"] = _self
finally:
    if os.environ.get("MIRRORHUB_RUN"):
        try:
            from mirrorhub.routing.installation import install

            install()
        except Exception as error:
            if os.environ["MIRRORHUB_RUN"] == str(os.getpid()):
                sys.stderr.write("mirrorhub: %s runs the program without it: %s\n" % (sys.executable, error))
