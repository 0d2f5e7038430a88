"""What a mirror may do to whoever asks it, as data: each attack with what must come of it.

attack.py      Attack, and how the answers of a hub are twisted
listings.py    lies about what a repository holds      bodies.py      lies in the bytes of its files
redirects.py   where it would lead us                  wire.py        what is no HTTP, or too much of it
words.py       lies that fit together: whose word is taken, and when not
raw.py         a server that sends whatever it is told
arena.py       an attack alone and before a good mirror, among files that nobody may touch
"""
