"""What runs where the kit is installed: the standard library alone, Python 3.8 and later, no network.

words       what is said, in two languages; KitError
archive     the kit as it lies there: a zip file, or the folder that it was unpacked to
contents    the manifest: what is listed, and nothing else is taken
checking    every member compared with the manifest
caches      where the SDKs keep models
placing     models into those caches: checked first, then published
noting      mirrorhub's note on a snapshot
python      the interpreter that the wheels are for
wheels      wheels by that interpreter's own pip
script      the command line

`joined` writes these modules one after the other into the kit's `install.py`, so no two top-level names may be the
same, and none may be imported under another name.
"""
