"""Schedules of faults, drawn at random, and what must hold under each of them."""
