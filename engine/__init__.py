"""Turns prompts into events: providers, tools, the loop. Knows of the bus only the events and a sink."""
