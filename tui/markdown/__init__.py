"""Markdown that grows: text in, blocks out, lines for a width on demand.

`stream` parses what is open and freezes what is settled; `parse` turns source into blocks, with `reader`, from any
place in it; `blocks` lays them out, `nesting` in their containers; `text` is what lines are made of. Nothing here
knows a screen: styles are names, links are plain data.
"""
