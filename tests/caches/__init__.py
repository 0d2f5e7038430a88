"""One cache for every version of both SDKs: what they store is found here, and what is stored here they find.

environments.py    the versions, each in a virtual environment of its own
parties.py         a program that does one thing: with an SDK, or with mirrorhub
exchange.py        one stores, the other finds: offline without a request, online without a body
"""
