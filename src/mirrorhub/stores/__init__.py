"""The stores: where snapshots live, in a file each."""
