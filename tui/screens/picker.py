"""A dialog in which one of many things is chosen by typing a part of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

LIST_SHARE = 0.55
"""How much of the screen's height the list may take."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line: `draw` makes it for a width in cells, `search` is what typing looks in.

    A `remark` is a line to read, which cannot be chosen.
    """

    id: str
    search: str
    draw: Callable[[int], Content]
    remark: bool = False


class Filter(Input):
    """The line to type in, which keeps the focus: the keys of the list are its keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "screen.move(1)", show=False),
        Binding("up", "screen.move(-1)", show=False),
        Binding("pagedown", "screen.move(10)", show=False),
        Binding("pageup", "screen.move(-10)", show=False),
        Binding("ctrl+r", "screen.refresh_choices", show=False),
        Binding("escape", "screen.dismiss_none", show=False),
    ]

    async def on_key(self, event: events.Key) -> None:
        """Run them here and now, as the prompt does: on their way up to the app, what is typed would overtake them."""
        active = None if event.is_printable else self.screen.active_bindings.get(event.key)
        if active is not None and active.node is self and active.enabled:
            event.stop()
            event.prevent_default()
            await self.run_action(active.binding.action)


class Picker(ModalScreen[str | None]):
    """Ends with the id of a choice, None when it was left, or, with `free_text`, with what was typed.

    With `refresh` a key has the choices asked for again.
    """

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss_none", show=False),
        Binding("ctrl+c", "dismiss_none", show=False, priority=True),  # the field would copy
    ]

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        *,
        chosen: str | None = None,
        empty: str = "Nothing matches.",
        free_text: bool = False,
        preview: Callable[[str], None] | None = None,
        refresh: Callable[[], object] | None = None,
    ) -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._chosen = chosen
        self._empty = empty
        self._free_text = free_text
        self._preview = preview
        self._refresh = refresh
        self._note = ""
        self._matching: Sequence[Choice] = choices
        self._filtered_by = ""

    def compose(self) -> ComposeResult:
        """A line to type in, the list, a line of help."""
        with Vertical(id="picker"):
            yield Static(self._title, id="picker-title", markup=False)
            field = Filter(placeholder="type to filter", id="picker-filter", compact=True)
            field.cursor_blink = False
            yield field
            options = OptionList(id="picker-list", compact=True, markup=False)
            options.can_focus = False
            yield options
            yield Static(self._help(), id="picker-help", markup=False)

    def on_mount(self) -> None:
        """Fill the list once its width is known."""
        self.call_after_refresh(self._fill)

    def on_resize(self, _event: events.Resize) -> None:
        """Draw the lines for the new width."""
        self.call_after_refresh(self._fill)

    def offer(self, choices: Sequence[Choice], note: str = "") -> None:
        """Offer other choices, while the dialog is open; what was typed stays. `note` stands beside the help."""
        self._choices, self._note = choices, note
        if self.is_mounted:
            self.query_one("#picker-help", Static).update(self._help())
            self._matching = matching(choices, self.query_one(Input).value)
            self.call_after_refresh(self._fill)

    def on_key(self, event: events.Key) -> None:
        """What is typed before the line has the focus belongs into it, too."""
        if event.is_printable and event.character:
            self.query_one(Input).insert_text_at_cursor(event.character)

    @on(Input.Changed)
    def _filter(self) -> None:
        """Show what matches. Keys that go by the list need it at once: what was typed before them counts."""
        if (typed := self.query_one(Input).value) != self._filtered_by:
            self._filtered_by = typed
            self._matching = matching(self._choices, typed)
            self._fill()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option.id is not None and not event.option.disabled:
            self._chosen = event.option.id
            if self._preview is not None:
                self._preview(event.option.id)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)

    def action_move(self, lines: int) -> None:
        """Go up or down in the list, from the field to type in."""
        self._filter()
        options = self.query_one(OptionList)
        if options.option_count and self._matching:
            at = (options.highlighted or 0) + lines
            options.highlighted = at = max(0, min(options.option_count - 1, at))
            self._chosen = options.get_option_at_index(at).id

    @on(Input.Submitted)
    def _choose(self) -> None:
        """Take the highlighted line, or what was typed where that may be taken."""
        self._filter()
        typed = self.query_one(Input).value.strip()
        if any(not choice.remark for choice in self._matching):
            self.query_one(OptionList).action_select()
        elif self._free_text and typed:
            self.dismiss(typed)

    def action_refresh_choices(self) -> None:
        """Ask for the choices again."""
        if self._refresh is not None:
            self._refresh()

    def action_dismiss_none(self) -> None:
        """Leave without a choice."""
        self.dismiss(None)

    def _help(self) -> str:
        keys = [
            "↑↓ choose",
            "Enter take",
            "Esc leave",
            *(["Ctrl+R ask again"] if self._refresh and not self._note else []),
        ]
        return "   ".join([*keys, self._note]).rstrip()

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        # As high as the whole list needs: the dialog does not jump while one types.
        options.styles.height = max(1, min(len(self._choices), int(self.size.height * LIST_SHARE)))
        width = max(10, options.scrollable_content_region.width - 2)
        chosen = self._chosen
        options.clear_options()
        typed = self.query_one(Input).value.strip()
        if not self._matching:
            text = f"Enter takes “{typed}”." if self._free_text and typed else self._empty
            options.add_option(Option(Content.styled(text, "$text-muted"), disabled=True))
            return
        options.add_options([Option(c.draw(width), id=c.id, disabled=c.remark) for c in self._matching])
        ids = [choice.id for choice in self._matching]
        if self._free_text and ":" in typed and typed not in ids:
            as_typed = Content.styled(f"“{typed}”, as it is typed", "$text-muted")
            options.add_option(Option(as_typed, id=typed))
        options.highlighted = at = ids.index(chosen) if chosen in ids else 0
        self._chosen = ids[at]


def matching(choices: Sequence[Choice], typed: str) -> Sequence[Choice]:
    """The choices that hold every word that was typed; if none does, those that hold its letters in their order.

    Of those, the ones in which the letters stand closest together come first.
    """
    words = typed.lower().split()
    texts = [(choice, choice.search.lower()) for choice in choices]
    if found := [choice for choice, text in texts if all(word in text for word in words)]:
        return found
    spans = [(choice, [_span(word, text) for word in words]) for choice, text in texts]
    loosely = [(sum(s for s in found if s), choice) for choice, found in spans if all(found)]
    return [choice for _, choice in sorted(loosely, key=lambda pair: pair[0])]


def _span(word: str, text: str) -> int | None:
    """How many characters of `text` the letters of `word` lie across, from its first place on; None: not there."""
    begin = at = text.find(word[0])
    for letter in word[1:]:
        if at < 0:
            return None
        at = text.find(letter, at + 1)
    return at - begin + 1 if at >= 0 else None


def columns(width: int, main: str, *others: tuple[str, int, str]) -> Content:
    """`main`, cut to what is left of `width` beside the other columns: (text, cells, style) each, right of it."""
    fixed = sum(cells + 2 for _, cells, _ in others)
    room = max(8, width - fixed)
    line = Content(main).truncate(room, ellipsis=True)
    line = line.pad_right(max(0, room - line.cell_length))
    for text, cells, style in others:
        piece = Content(text).truncate(cells, ellipsis=True)
        line = line.append("  ").append(piece.pad_right(max(0, cells - piece.cell_length)).stylize(style))
    return line
