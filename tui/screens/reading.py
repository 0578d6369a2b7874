"""The part of the session screen for reading: jumps, search, copies, what can be done with a block."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work

from tui.clean import clean_line
from tui.editor import edited
from tui.screens.choices import plain_choices
from tui.screens.picker import Picker
from tui.screens.sending import SendingScreen
from tui.widgets.prompt import Prompt
from tui.widgets.search_bar import SearchBar

if TYPE_CHECKING:
    from bus.entities import Entity
    from tui.timeline.view import TimelineView

COPY_BLOCK, COPY_CODE, COPY_MESSAGE = "Copy this block as Markdown", "Copy the code", "Copy the message as Markdown"
EDIT, DETAILS, SAVE, LINK = "Open in your editor", "Details", "Save the picture", "Open "
FORK = "Fork from here"

MOST_LINKS = 8
"""Links of a block that its menu offers."""


class ReadingScreen(SendingScreen):
    """Does with the timeline what a person asks for, wherever the focus is."""

    # -- moving about -------------------------------------------------------------------------------------------

    def action_page(self, pages: int) -> None:
        """Scroll the timeline from wherever the focus is."""
        if self.view:
            self.view.action_page_up() if pages < 0 else self.view.action_page_down()

    def action_top(self) -> None:
        """Go to the beginning of the timeline."""
        if self.view:
            self.view.action_scroll_home()

    def action_follow_end(self) -> None:
        """Go to the end of the timeline and follow it."""
        if self.view:
            self.view.action_scroll_end()

    def action_to_prompt(self, step: int) -> None:
        """Jump to the prompt before or after what is read."""
        if self.view:
            self.view.action_jump("message", step)

    @on(Prompt.Away)
    def _into_timeline(self) -> None:
        """Give the timeline the focus, with its cursor at the end."""
        if self.view and self.view.display:
            self.view.focus()
            self.view.entered_cursor()

    def action_toggle_thinking(self) -> None:
        """All thinking to its next state."""
        if self.view:
            self.view.action_toggle_thinking()

    def action_toggle_tools(self) -> None:
        """Open or close all tool calls."""
        if self.view:
            self.view.action_toggle_tools()

    # -- search -------------------------------------------------------------------------------------------------

    def action_find(self, text: str = "") -> None:
        """Ask what to look for, or go on with `text`."""
        if self.view is None or not self.view.display:
            self.notify("There is nothing to search in yet.")
            return
        bar = self._bar
        if bar is None:
            bar = SearchBar()
            self.mount(bar, after=self.query_one("#stage"))
            self.call_after_refresh(self._begin_with, text)
        else:
            bar.field.focus()
            bar.field.select_all()

    def _begin_with(self, text: str) -> None:
        if text and self._bar is not None:
            self._bar.field.value = text
            self._bar.field.cursor_position = len(text)

    @property
    def _bar(self) -> SearchBar | None:
        return next(iter(self.query(SearchBar)), None)

    def on_timeline_view_search_wanted(self) -> None:
        """A key of the timeline."""
        self.action_find()

    @on(SearchBar.Changed)
    def _look_for(self, event: SearchBar.Changed) -> None:
        if self.view:
            self.view.find(event.text)

    @on(SearchBar.Stepped)
    def _step(self, event: SearchBar.Stepped) -> None:
        if self.view:
            self.view.action_find_next(event.step)

    @on(SearchBar.Left)
    def _leave_bar(self, event: SearchBar.Left) -> None:
        """Read on at the hit, with n and N for the others; or go back, and all is as it was."""
        if self.view is None:
            return
        if event.stay and self.view.place is not None:
            self.view.focus()
            return
        self.view.end_search(stay=False)
        if self.can_send:
            self.composer.prompt.focus()
        else:
            self.view.focus()

    def on_timeline_view_found(self, event: TimelineView.Found) -> None:
        """How the search stands."""
        bar = self._bar
        if bar is not None and self.view is not None and self.view.search is not None:
            bar.show_count(event.number, event.total, counting=event.counting)

    def on_timeline_view_search_ended(self) -> None:
        """The line is not needed any more."""
        for bar in self.query(SearchBar):
            bar.remove()

    # -- a block ------------------------------------------------------------------------------------------------

    def on_timeline_view_block_chosen(self, event: TimelineView.BlockChosen) -> None:
        """Something is to be done with a block."""
        match event.what:
            case "copy_block":
                self.app.copy_to_clipboard(event.text)
            case "copy_message":
                self.app.copy_to_clipboard(event.message)
            case "edit":
                self._edit(event.message)
            case "details":
                self._show_details(event.entity)
            case _:
                self._ask_about_block(event)

    @work(exclusive=True, group="dialog")
    async def _ask_about_block(self, event: TimelineView.BlockChosen) -> None:
        choices = [(COPY_BLOCK, "c"), (COPY_MESSAGE, "y"), (EDIT, "o"), (DETAILS, "i")]
        if event.code:
            choices[0] = (COPY_CODE, "c")
        links = {LINK + clean_line(url): url for url in event.links[:MOST_LINKS]}
        fork_at = self._end_of_turn(event.entity)
        choices += [(FORK, "")] * bool(fork_at) + [(title, "") for title in links]
        picture = getattr(event.entity, "image_base64", None) if event.entity.done else None
        if picture:
            choices.insert(0, (SAVE, ""))
        match await self.app.push_screen_wait(Picker("This block", plain_choices(choices))):
            case "Copy this block as Markdown" | "Copy the code":
                self.app.copy_to_clipboard(event.text)
            case "Copy the message as Markdown":
                self.app.copy_to_clipboard(event.message)
            case "Open in your editor":
                # The dialog leaves the screen first.
                await asyncio.sleep(0)
                self._edit(event.message)
            case "Details":
                self._show_details(event.entity)
            case "Fork from here" if self.source is not None:
                self.app.fork_session(self.source.session.id, fork_at)
            case "Save the picture":
                self._save(str(picture))
            case str(title) if title in links:
                self.app.ask_about_link(links[title])
            case _:
                pass

    def _end_of_turn(self, entity: Entity) -> str:
        """The last entry that is shown of the entity's turn, where a fork may begin; empty: none may."""
        if self.fold is None or self.source is None or not self.source.can_fork or not entity.turn_id:
            return ""
        turn = self.fold.timeline.turns.get(entity.turn_id)
        if turn is None or turn.outcome is None:
            return ""
        return (turn.last and turn.last.last_entry_id) or entity.last_entry_id

    def _save(self, picture: str) -> None:
        """Write a picture to a file where riffle was started, and say where it is."""
        from tui import pictures

        try:
            path = pictures.save(picture, Path.cwd())
        except (OSError, ValueError) as error:
            self.notify(f"The picture is not saved. {error}", severity="error")
        else:
            self.notify(f"Saved: {path}")

    def _edit(self, text: str) -> None:
        """Show a text in the user's editor; what is changed there stays there."""
        edited(self.app, text)

    def _show_details(self, entity: Entity) -> None:
        # They need what draws the timeline, for which the first frame does not wait.
        from bus.entities import TurnSummary
        from tui.screens.details import DetailsScreen

        summary = None
        if self.fold is not None and entity.turn_id is not None:
            found = (each for each in self.fold.timeline.entities if each.turn_id == entity.turn_id)
            summary = next((each for each in found if isinstance(each, TurnSummary)), None)
        self.app.push_screen(DetailsScreen(entity, summary, self.app.prices))

    def action_copy_answer(self) -> None:
        """Copy the last answer as Markdown."""
        answer = self.fold.last_answer() if self.fold else ""
        if answer:
            self.app.copy_to_clipboard(answer)
        else:
            self.notify("There is no answer to copy yet.")

    def on_timeline_view_link_activated(self, event: TimelineView.LinkActivated) -> None:
        """A link of the timeline was chosen."""
        self.app.ask_about_link(event.url)
