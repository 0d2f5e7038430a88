"""Each parameter of each of the six functions, ours against the installed SDK's: the same call on the same server.

scene.py         a server and a directory for one side of a comparison
outcome.py       what came of a call: files, return value, error, warnings
case.py          one row of the table, and how it is run
huggingface.py   the rows of huggingface_hub's functions
modelscope.py    the rows of modelscope's
"""
