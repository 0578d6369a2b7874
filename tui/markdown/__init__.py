"""Markdown that grows: text in, blocks out, lines for a width on demand.

`stream` parses what is open and freezes what is settled; `parse` turns source into blocks; `blocks` lays them out;
`text` is what lines are made of. Nothing here knows a screen: styles are names, links are plain data.
"""
