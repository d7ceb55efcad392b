"""Who may ask, and how it is said: headers of every kind, tokens that can be guessed, addresses that others reach.

And what a person sees who opens the page without its key.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.hosts.server.asking import ADDRESS, PORT, TOKEN, Client, desk_with

from convlens.errors import ConvlensError
from convlens.hosts.cli.app import run
from convlens.hosts.server.guard import HEADERS
from convlens.hosts.server.launching import bound, check_token, warning_of

CLIENT = Client(desk_with())
STRANGER = Client(desk_with(), token=None)
NAMES = [
    "Origin", "Host", "Cookie", "Authorization", "If-None-Match", "Content-Length", "Content-Type", "Accept",
    "Accept-Language", "Range", "Connection", "Referer", "Expect", "Upgrade", "X-Forwarded-For", "Forwarded",
    "Transfer-Encoding", "If-Modified-Since", "Accept-Encoding", "Sec-Fetch-Site",
]  # fmt: skip
FRAGMENTS = [
    "http://", "https://", "[::1", "[", "]", "//", "@", ":", "127.0.0.1", f"{PORT}", f"convlens-{PORT}=", TOKEN,
    "Bearer ", "Basic ", '"', "\\377", "W/", "*", ",", ";", "=", "%", "\xff", "\xe9", "bytes=", "0-", "-1", "9" * 5000,
    "text/html", "application/json", "chunked", "\t", "\u00b2",
]  # fmt: skip
VALUES = st.lists(
    st.sampled_from(FRAGMENTS) | st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=8), max_size=6
).map("".join)
ASKED = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)


@settings(max_examples=150, deadline=None)
@given(ASKED, st.sampled_from(["/", "/api/session", "/api/runs/x", "/docs", "/api/pictures"]), st.booleans())
@example({"Origin": "http://[::1"}, "/api/session", True)
@example({"Content-Length": "9" * 5000}, "/api/session", True)
@example({"Host": "[::1"}, "/", True)
def test_no_header_is_an_error_of_the_server(headers: dict[str, str], path: str, known: bool) -> None:
    """Whatever a header says, the answer is an answer or a plain refusal; and without the token it is a refusal."""
    client = CLIENT if known else STRANGER
    sent: Any = [(name, value.encode("latin-1")) for name, value in headers.items()]
    answer = client.ask("POST" if path == "/api/pictures" else "GET", path, headers=dict(sent))
    assert answer.status_code < 500 or path == "/", (headers, answer.text)  # the page may not be built
    assert "Traceback" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    if not known and TOKEN not in repr(headers):
        assert answer.status_code in (400, 401, 403, 413, 421)


@pytest.mark.parametrize(
    "token", ["a", "", "secret", "a" * 40, "abcdefg" * 5, "0123456789abcde", "é" * 20, "a b" * 10, "x;\n" * 8]
)
def test_a_token_that_can_be_guessed_is_refused(token: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConvlensError) as caught:
        check_token(token)
    told = caught.value
    assert "16" in told.expected
    suggested = re.search(r"--token (\S+)$", told.hint)
    assert suggested
    check_token(suggested[1])
    assert run(["view", "--no-browser", "--port", "0", f"--token={token}"]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("convlens: This")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("token", ["0123456789abcdef", "of-the-tests-only", "A_b-" * 4 + "cdefgh"])
def test_a_token_of_some_strength_is_taken(token: str) -> None:
    check_token(token)


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("", True),
    ],
)
def test_an_address_that_others_reach_is_warned_of(host: str, warned: bool) -> None:
    try:
        listening = bound(host, 0)
    except ConvlensError:
        pytest.skip("this machine has no such address")
    with listening:
        told = warning_of(listening)
        assert (told is not None) == warned
        if told is not None:
            assert f"{listening.getsockname()[1]}" in told
            for word in ("every address", "token", "not encrypted", "Leave out --host", "ssh -L"):
                assert word in told
            assert "\n" not in told


def test_one_address_of_the_network_is_named() -> None:
    class Listening:
        def getsockname(self) -> tuple[str, int]:
            return "192.0.2.7", 8765

    told = warning_of(Listening())  # type: ignore[arg-type]
    assert told is not None
    assert "192.0.2.7, port 8765" in told


# --- the page for whom the token is missing


class Page(HTMLParser):
    """What a person reads, by language, and what the browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: dict[str, str] = {}
        self.loads: list[str] = []
        self.style = ""
        self._at, self._in_style = "", False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        self.loads += [name for name in ("src", "href", "onload") if name in facts] + [tag] * (tag in ("script", "img"))
        self._in_style = tag == "style"
        if tag == "section":
            self._at = facts["lang"] or ""

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style, self._in_style = data, False
        elif self._at:
            self.words[self._at] = self.words.get(self._at, "") + data


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 401),
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://[::1"}, 403),
    ],
)
@pytest.mark.parametrize(
    ("language", "first"), [("th-TH,th;q=0.9,en;q=0.8", "th"), ("en", "en"), ("de", "en"), ("", "en")]
)
def test_a_person_gets_a_page_and_a_program_json(more: dict[str, str], status: int, language: str, first: str) -> None:
    answer = STRANGER.ask("GET", "/", headers={**BROWSER, **more, "Accept-Language": language})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(answer.text)
    assert next(iter(page.words)) == first
    assert set(page.words) == {"en", "th"}
    assert re.search("[\u0e00-\u0e7f]{20}", page.words["th"])
    assert page.loads == []
    digest = b64encode(sha256(page.style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}';" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "evil" not in answer.text
    for name, value in HEADERS.items():
        assert name == "Content-Security-Policy" or answer.headers[name] == value
    if status == 401:
        assert "?token=" in page.words["en"]
        assert "?token=" in page.words["th"]
    program = STRANGER.ask("GET", "/", headers={**more, "Accept": "application/json"})
    assert program.status_code == status
    assert set(program.json()) == {"problem", "expected", "received", "hint"}


def test_the_page_is_only_for_whom_the_token_is_missing() -> None:
    assert "text/html" not in CLIENT.ask("GET", "/api/session", headers=BROWSER).headers["content-type"]
    assert STRANGER.ask("GET", "/api/session", headers=BROWSER).status_code == 401
    assert CLIENT.ask("GET", "/api/session", headers={"Origin": ADDRESS}).status_code == 200
