"""The conversation that the README and the docs show."""

from __future__ import annotations

from tests.support.gallery import DIFF
from tests.support.scripted_source import Story

READER = """\
def read(stream):
    cursor = START
    while True:
        entries = stream.read(cursor)
        yield from entries"""

FOUND = """\
## The cursor never moves

`read` asks for **the same page** every time: nothing says where the last one ended.

| Call | Asks from | Gets          |
| ---: | :-------- | :------------ |
|    1 | `0-0`     | entries 1–100 |
|    2 | `0-0`     | entries 1–100 |

- [x] go on *behind* the last entry
- [x] say how many to read at once
"""

DONE = """\
It goes on from where it was, in pages of 500. To see it:

```python
for entry in read(stream):
    print(entry.id)  # each id once
```
"""


def conversation() -> Story:
    """A question with tools, a table, a diff and code, and a second one that is still being answered."""
    told = Story().ask("`read()` never gets past the first page. Why?")
    told.think("It loops, so something must change between two calls. ", "The cursor does not.")
    told.tool("read_file", '{"path": "bus/reader.py", "from": 12, "lines": 5}', READER)
    told.say(FOUND).tool("edit_file", '{"path": "bus/reader.py"}', DIFF)
    told.say(DONE, segment=2).finish()
    return told.ask("Could an entry come twice?").think("At the seam of two pages?").say("No. A page begins *behind* ")
