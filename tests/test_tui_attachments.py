"""Files in a prompt: how they are named, what may go, what is said of what may not, and where the bytes lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.attachment import Attachment
from bus.events import Compaction, RunStarted, UserMessage
from bus.meta import Metadata
from bus.redis.store import Store
from bus.session import Prompt, SessionInfo
from engine.profiles import Profile
from tests.support.model_server import ANSWER, model_server
from tests.support.redis_server import RedisServer
from tests.support.riffle import Home
from tests.support.riffle_app import answered, screen
from tests.support.scripted_source import Story
from tests.support.waiting import wait_until
from tui import attaching
from tui.attaching import NotAttached, Picked, begun, completions, dropped, pick, plain
from tui.live_source import LiveSource
from tui.screens.picker import Picker
from tui.widgets.suggestions import Suggestions

PNG = b"\x89PNG\r\n\x1a\n rest"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with some files."""
    here = tmp_path / "work"
    (here / "src").mkdir(parents=True)
    (here / "src" / "app.py").write_text("print('hi')\n")
    (here / "a.png").write_bytes(PNG)
    (here / "two words.gif").write_bytes(b"GIF89a rest")
    (here / "photo").write_bytes(b"\xff\xd8\xff rest")
    (here / "w.webp").write_bytes(b"RIFF....WEBP rest")
    (here / "paper.pdf").write_bytes(b"%PDF-1.7 rest")
    monkeypatch.chdir(here)
    return here


def names(text: str, folder: Path) -> list[tuple[str, str]]:
    return [(file.name, file.media_type) for file in pick(text, folder)[1]]


def test_files_are_found_wherever_they_are_named(folder: Path) -> None:
    text = (
        f'@a.png and @src/app.py, @"two words.gif" (@photo no) @two\\ words.gif\n@paper.pdf? @{folder}/w.webp @./a.png'
    )
    assert names(text, folder) == [
        ("a.png", "image/png"),
        ("src/app.py,", "text/plain"),
        ("two words.gif", "image/gif"),
        ("paper.pdf?", "application/pdf"),
        (f"{folder}/w.webp", "image/webp"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "me@here.org",
        "ask @ada about it",
        "@dataclass\nclass A: ...",
        '@app.route("/x")',
        "npm install @angular/cli @types/node",
        "@pytest.mark.parametrize",
        "@@a.png",
        "git diff: @@ -1,3 +1,4 @@",
    ],
)
def test_an_at_sign_that_names_no_file_stays_text(text: str, folder: Path) -> None:
    sent, files = pick(text, folder)
    assert (files == [] and sent == text.replace("@@", "@")) or text.startswith("git")


def test_a_doubled_sign_is_a_plain_one_and_what_is_piped_in_names_nothing(folder: Path) -> None:
    assert pick("Say @@a.png", folder) == ("Say @a.png", [])
    assert pick(plain("@a.png x@y @@ -1 @@\n@.env"), folder) == ("@a.png x@y @@ -1 @@\n@.env", [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@./absent", "There is no file ./absent."),
        ("@absent.png", "There is no file absent.png."),
        ("@src/ap.py", "There is no file src/ap.py."),
        ('@"no such"', "There is no file no such."),
        ("@src", "src is a folder"),
        ("@.env", ".env is not sent: files of that name mostly hold secrets."),
        ("@innocent", "innocent is not sent: files of that name mostly hold secrets."),
        ("@notes.txt", "notes.txt is not sent: there is a private key in it."),
        ("@program", "program is neither text nor a picture"),
        ("@nothing", "nothing is empty."),
        ("@pipe", "pipe is not a regular file."),
        ("@closed", "closed cannot be read: Permission denied."),
        ("@long.txt", "long.txt is larger than 512 kB, which is the limit for texts."),
        ("@huge.png", "huge.png is larger than 5 MB, which is the limit for pictures."),
    ],
)
def test_what_may_not_go_is_said(text: str, words: str, folder: Path) -> None:
    (folder / ".env").write_text("KEY=1")
    (folder / "innocent").symlink_to(folder / ".env")
    (folder / "notes.txt").write_text("My key:\n-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    (folder / "program").write_bytes(b"\x7fELF\0\0\xff")
    (folder / "nothing").touch()
    os.mkfifo(folder / "pipe")
    (folder / "closed").write_text("x")
    (folder / "closed").chmod(0)
    (folder / "long.txt").write_text("x" * 600_000)
    (folder / "huge.png").write_bytes(PNG + bytes(6_000_000))
    if text == "@closed" and os.access(folder / "closed", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(NotAttached) as refused:
        pick(text, folder)
    assert words in str(refused.value)


def test_there_are_limits_for_all_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(11):
        (folder / f"{number}.png").write_bytes(PNG)
    with pytest.raises(NotAttached, match="More than 10 files"):
        pick(" ".join(f"@{number}.png" for number in range(11)), folder)
    monkeypatch.setattr(attaching, "MOST_BYTES", 20)
    with pytest.raises(NotAttached, match="together"):
        pick("@1.png @2.png", folder)


def test_what_is_dropped_becomes_files(folder: Path) -> None:
    assert dropped(f"{folder}/a.png") == f"@{folder}/a.png "
    assert dropped(f"'{folder}/two words.gif' {folder}/a.png") == f'@"{folder}/two words.gif" @{folder}/a.png '
    assert dropped(f"{folder}/two\\ words.gif ") == f'@"{folder}/two words.gif" '
    assert dropped(f"file://{folder}/two%20words.gif") == f'@"{folder}/two words.gif" '
    for text in (
        "a.png",
        f"see {folder}/a.png",
        "/absent/a.png",
        "/",
        str(folder),
        "/'",
        f"{folder}/a.png\nx",
        "x" * 9000,
    ):
        assert dropped(text) is None


def test_a_path_is_completed_from_what_there_is(folder: Path) -> None:
    assert begun("see @src/a") == ("see ", "src/a") and begun('@"two w') == ("", "two w")
    assert begun("me@x") is None and begun("@a done") is None and begun("@@a") is None
    assert completions("", folder) == ["a.png", "paper.pdf", "photo", "src/", "two words.gif", "w.webp"]
    assert completions("src/", folder) == ["src/app.py"] and completions("P", folder) == ["paper.pdf", "photo"]
    assert completions("absent/x", folder) == []


# -- on the screen ---------------------------------------------------------------------------------------------


async def test_a_file_is_completed_and_sent(folder: Path, own_home: Path) -> None:
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        offered = app.session_screen.query_one(Suggestions)
        await pilot.press(*"see @t")
        await wait_until(lambda: [s.call for s in offered.offered] == ["two words.gif"])
        await pilot.press("tab")
        await wait_until(lambda: app.prompt.text == 'see @"two words.gif" ')
        await pilot.press(*"and @sr")
        await wait_until(lambda: [s.call for s in offered.offered] == ["src/"])
        await pilot.press("tab")
        await wait_until(lambda: [s.call for s in offered.offered] == ["src/app.py"])
        await pilot.press("tab", "enter")
        await wait_until(lambda: app.source.sent)
        assert app.source.sent[0].text == 'see @"two words.gif" and @src/app.py '
        assert app.source.files == [
            [Picked("two words.gif", "image/gif", b"GIF89a rest"), Picked("src/app.py", "text/plain", b"print('hi')\n")]
        ]


async def test_a_prompt_whose_file_may_not_go_is_kept(folder: Path, own_home: Path) -> None:
    (folder / ".env").write_text("KEY=1")
    app = screen(own_home)
    async with app.run_test() as pilot:
        await app.opened()
        await pilot.press(*"see @.env ", "enter")
        await app.note(".env is not sent: files of that name mostly hold secrets.")
        await wait_until(lambda: app.prompt.text == "see @.env ")
        assert app.source.sent == []


async def test_asking_again_sends_the_files_that_were_sent(folder: Path, own_home: Path) -> None:
    picture = Attachment(name="gone.png", media_type="image/png", size=24_000, block_key="k")
    ids = Metadata(session_id="s1", turn_id="t1")
    story = Story().add(UserMessage(meta=ids, text="see @gone.png", prompt_id="p1", attachments=[picture]))
    app = screen(own_home, story.add(RunStarted(meta=ids)).finish().take())
    async with app.run_test() as pilot:
        await app.read(1)
        await wait_until(lambda: "+ gone.png · image/png · 24 kB" in app.timeline)
        await pilot.press("f5")
        await wait_until(lambda: app.source.sent)
        assert app.source.files == [[picture]]


async def test_a_context_that_gets_full_is_said_and_can_be_compacted(own_home: Path) -> None:
    story = answered()
    app = screen(own_home, story.take())
    async with app.run_test(size=(100, 30)) as pilot:
        await app.read(3)
        app.session_screen._windows["demo"] = 20  # pyright: ignore[reportPrivateUsage]
        app.session_screen.refresh_facts()
        await app.note("full: /compact sums the conversation up to make room.")
        assert "ctx " in app.status
        await pilot.press(*"/compact", "enter", "enter")
        await wait_until(lambda: app.source.sent)
        assert (app.source.sent[0].text, app.source.options[0]["command"]) == ("/compact", "compact")
        ids = Metadata(session_id="s1", turn_id="c1")
        story.add(RunStarted(meta=ids, prompt_id="p2"))
        done = Compaction(meta=ids, text="**All** of it.", turns=1, tokens_before=81_000, tokens_after=3_000)
        app.source.push(story.add(done).take())
        await wait_until(lambda: "▸ Compacted 1 turn, 81k → 3.0k tokens  /compact undo" in app.timeline)
        assert "Because it is." in app.timeline
        await pilot.press("tab", "up", "enter")
        await wait_until(lambda: "│ All of it." in app.timeline)


async def test_a_profile_is_chosen_and_goes_with_every_prompt_from_then_on(own_home: Path) -> None:
    ids = Metadata(session_id="s1", turn_id="t1")
    story = Story().add(UserMessage(meta=ids, text="1", prompt_id="p1", profile="terse")).finish()
    app = screen(own_home, story.take())
    app.config.profiles["terse"] = Profile(name="terse", system="Be terse.")
    app.config.profiles["kind"] = Profile(name="kind", model="demo:fast", effort="low")
    app.config.bad_profiles["odd"] = "profiles.odd has no setting sytem; this profile cannot be used."
    async with app.run_test(size=(100, 30)) as pilot:
        await app.read(1)

        async def send(text: str, count: int) -> dict[str, str]:
            app.session_screen.send(text)
            await wait_until(lambda: len(app.source.sent) == count)
            return app.source.options[-1]

        # Where nobody has chosen one, the session goes on with what it was asked by last.
        assert await send("2", 1) == {"profile": "terse", "system": "Be terse."} and "terse" in app.status
        await pilot.press(*"/profile kind", "enter")
        await app.note("Profile: kind, from the next prompt on.")
        assert await send("3", 2) == {"profile": "kind", "reasoning_effort": "low"}
        assert app.source.sent[-1].model == "demo:fast"
        app.pick_profile("odd")
        await app.note("profiles.odd has no setting sytem")
        app.pick_profile("nope")
        await app.note("There is no profile 'nope'. There are: terse, kind.")
        await pilot.press(*"/profile", "enter")
        await wait_until(lambda: isinstance(app.screen, Picker))
        await pilot.press(*"none", "enter")
        await app.note("Profile: none")
        assert await send("4", 3) == {}


# -- in Redis --------------------------------------------------------------------------------------------------


async def test_the_bytes_lie_in_the_session_and_only_there(store: Store) -> None:
    for name in ("s1", "s2"):
        await store.create_session(SessionInfo(id=name))
    source = LiveSource(store, SessionInfo(id="s1"), mode="attach", author="ada@desk")
    big = PNG + bytes(2_000_000)
    await source.submit("see @a.png", options={"profile": "terse"}, files=[Picked("a.png", "image/png", big)])
    async with store.seat("s1", engine_id="e1") as seat:
        work = await seat.next_work()
        assert work is not None and work.options == {"profile": "terse"}
        (file,) = work.attachments
        assert (file.name, file.media_type, file.size) == ("a.png", "image/png", len(big))
        assert file.block_key.startswith("riffle:{s1}:block:")
        assert await seat.file(file.block_key) == big
        await seat.finish(work)
    elsewhere = await store.put_file("s2", b"not yours")
    async with store.seat("s1", engine_id="e2") as seat:
        assert await seat.file(elsewhere) is None
        assert await seat.file("riffle:{s1}:meta") is None
    assert await store.put_file("s2", b"not yours") == elsewhere


async def test_a_command_is_no_prompt_of_the_conversation(store: Store) -> None:
    await store.create_session(SessionInfo(id="s1", title="Numbers"))
    await store.submit("s1", Prompt(id="p1", text="/compact", author="ada@desk", options={"command": "compact"}))
    async with store.seat("s1", engine_id="e1") as seat:
        work = await seat.next_work()
        assert work is not None
        await seat.sink.publish(RunStarted(meta=Metadata(turn_id="c1"), prompt_id="p1"))
        await seat.finish(work)
    info = await store.session("s1")
    assert info is not None and (info.title, info.messages) == ("Numbers", 0)


@pytest.fixture
def home(tmp_path: Path, redis_server: RedisServer) -> Iterator[Home]:
    """A user of the real program."""
    (tmp_path / "home").mkdir()
    home = Home(tmp_path / "home", {"RIFFLE_REDIS_URL": redis_server.url})
    yield home
    home.close()


def test_a_file_goes_from_the_command_line_to_the_model(home: Home, folder: Path) -> None:
    done = home.call(
        "run", "-m", "demo:instant", "--output", "json", f"What is in @{folder}/src/app.py", stdin="@a.png"
    )
    assert done.returncode == 0, done.stderr
    assert '"attachments":[{"name":"' in done.stdout and '"media_type":"text/plain","size":12' in done.stdout
    assert "a.png\\n" not in done.stdout and "print('hi')" not in done.stdout
    copy = home.call("sessions", "fork", home.sessions()[0]["id"]).stdout.strip()
    with model_server({"/v1/chat/completions": ANSWER}) as server:
        home.env |= {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "key"}
        assert home.call("run", "-s", copy, "-m", "openai-chat:m", "And in Rust?").returncode == 0
    assert "print('hi')" in str(server.received[0].body), "the copy has its files, too"
    refused = home.call("run", "-m", "demo:instant", "See @./absent.png")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "There is no file ./absent.png." in refused.stderr


def test_a_profile_is_named_on_the_command_line_and_stays_with_the_session(home: Home) -> None:
    config = home.folder / "config" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('[profiles.terse]\nsystem = "Be terse."\n[profiles.odd]\nsytem = "x"\n')
    config.chmod(stat.S_IRUSR | stat.S_IWUSR)
    for name, words in (("nope", "There is no profile 'nope'"), ("odd", "profiles.odd has no setting sytem")):
        done = home.call("run", "-p", name, "-m", "demo:instant", "Hello?")
        assert done.returncode == 2 and words in done.stderr
    for words in (["--profile", "terse", "-m", "demo:instant"], ["-c"]):
        done = home.call("run", *words, "--output", "json", "Hello?")
        assert done.returncode == 0 and '"profile":"terse"' in done.stdout
    config.write_text("")
    done = home.call("run", "-c", "--output", "json", "Hello?")
    assert done.returncode == 0 and '"profile"' not in done.stdout
    assert "The profile 'terse' is not in the configuration here" in done.stderr
