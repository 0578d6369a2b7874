"""Pixels and the command line."""
