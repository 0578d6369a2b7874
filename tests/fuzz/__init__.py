"""Every recording, broken in every way: cut, damaged, split. `python -m tests.fuzz`; a sample is in the suite."""
