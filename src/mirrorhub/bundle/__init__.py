"""The offline kit: models and wheels in one file, checked where it was made and again where it is installed.

kit/        what runs on the other side: the standard library alone, from Python 3.8 on; together it is `install.py`
joined      those modules as one file
packing     the zip file, as a stream
closure     the wheels that an environment needs, all of them
pip         the user's own installer
models      what was fetched, as members
creation    all of it: `mirrorhub bundle create`
"""
