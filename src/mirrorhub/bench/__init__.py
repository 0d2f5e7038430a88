"""What `mirrorhub bench` does: endpoints are measured side by side, and their order is saved.

rounds.py        the conductor: rounds of visits to each endpoint in turn -> Comparison
visit.py         one visit: connecting, listing, how fast bytes come
flow.py          pieces that are asked for, and how many bytes still may be
rates.py         when bytes came -> the rate of the line; pure
comparison.py    what was found, and who is best; values only
saving.py        the order, into the user's config file
"""
