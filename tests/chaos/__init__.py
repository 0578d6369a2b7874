"""The chaos suite: a seed chooses what an engine says and what goes wrong, and every viewer must show it exactly.

`python -m tests.chaos --help`. A run that fails prints its seed, which makes the same choices again (not the same
timing). `run` says what a run is, `faults` what goes wrong, `oracle` what is right.
"""
