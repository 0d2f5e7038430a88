"""The hubs: a protocol each, in a file each; and the table of what is the same under other names."""
