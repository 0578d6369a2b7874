"""Benchmarks in a pseudo terminal: ratios within one run, next to a minimal Textual app."""
