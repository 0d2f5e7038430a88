"""The table of parity: each parameter of each of the six functions, ours against the installed SDK's."""
