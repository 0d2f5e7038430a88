"""Downloads by mirrorhub and its peers, from the same server over the same line, turn and turn about."""
