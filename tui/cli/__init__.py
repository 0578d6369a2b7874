"""The command line: one module per command, `parser` reads it, `printing` writes what a program or a person reads."""
