"""Files of captions as they come: three formats, many encodings, and what is wrong with a file, by its line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.sdk.timedtext import markup, webvtt
from streamgate.sdk.timedtext.cues import MAX_CUES, Cue, TextInvalid, in_order, until
from streamgate.sdk.timedtext.reading import decoded, read
from streamgate.sdk.timedtext.settings import clean_settings
from streamgate.testing.attacks import attack

SRT = (
    "1\n00:00:01,000 --> 00:00:02,500\n{\\an8}<i>Grüße</i>\n<font color=red>Tom & Jerry</font>\n\n"
    "2\n0:00:03,5 --> 00:00:04,000\n2 < 3\n"
)
VTT = (
    "WEBVTT - a film\nKind: captions\n\nSTYLE\n::cue { background: url(http://x) }\n\nNOTE to nobody\n\nintro\n"
    "00:01.000 --> 00:02.500 line:0 align:left region:r1 bogus:1\n<v.loud Ada>Hello</v> <c.yellow>you</c>\n"
    "- <00:00:02.000>&amp; me\n\n01:00:03.000 --> 01:00:04.000\nlate\n"
)
ASS = (
    "\ufeff[Script Info]\nTitle: x\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,not said\n"
    "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\an8\\i1}Up,{\\i0} here\\Nand <there>\n"
    "Dialogue: 0,0:00:01.50,0:00:02.25,Default,Ada,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}Hello\n"
)


def test_subrip() -> None:
    given = read(SRT.encode())
    assert (given.format, given.charset) == ("subrip", "utf-8")
    assert given.cues == (
        Cue(1000, 2500, "<i>Grüße</i>\nTom &amp; Jerry", "line:0"),
        Cue(3500, 4000, "2 &lt; 3"),
    )


def test_webvtt_without_what_is_no_caption() -> None:
    given = read(VTT.encode())
    assert given.format == "webvtt"
    assert given.cues == (
        Cue(1000, 2500, "<v.loud Ada>Hello</v> <c.yellow>you</c>\n- &amp; me", "line:0 align:left"),
        Cue(3_603_000, 3_604_000, "late"),
    )


def test_ass() -> None:
    given = read(ASS.encode())
    assert (given.format, given.charset) == ("ass", "utf-8")
    assert given.cues == (
        Cue(1500, 2250, "Hello"),
        Cue(3000, 4000, "<i>Up,</i> here\nand &lt;there&gt;", "line:0"),
    )


@pytest.mark.parametrize(
    ("data", "said", "taken_for"),
    [
        (SRT.encode("utf-8-sig"), "", "utf-8"),
        (SRT.encode("utf-16"), "", "utf-16-le"),
        (b"\xfe\xff" + SRT.encode("utf-16-be"), "", "utf-16-be"),
        (SRT.encode("utf-16-le"), "", "utf-16-le"),
        (SRT.encode("utf-16-be"), "", "utf-16-be"),
        (SRT.encode("latin-1"), "", "windows-1252"),
        (SRT.encode("iso-8859-9"), "ISO-8859-9", "iso-8859-9"),
        (SRT.replace("\n", "\r\n").encode(), "", "utf-8"),
    ],
)
def test_encodings(data: bytes, said: str, taken_for: str) -> None:
    given = read(data, said)
    assert given.charset == taken_for
    assert given.cues[0].text == "<i>Grüße</i>\nTom &amp; Jerry"


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 0, "no cue"),
        (b"WEBVTT\n", 0, "no cue"),
        (b"just words", 1, "00:00:01,000 --> 00:00:02,500"),
        (b"1\n00:00:01,000 -> 00:00:02,000\nx\n", 2, "is expected here"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nx\n\n2\n00:99:01,000 --> 00:00:02,000\nx\n", 6, "from 00 to 59"),
        (b"1\n00:00:03,000 --> 00:00:02,000\nx\n", 2, "ends before it begins"),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\nx\n00:01.000 --> 00:02.000\ny\n", 5, "empty line"),
        (b"WEBVTT\n\nhello\nyou\n", 3, "is expected here"),
        (b"[Script Info]\n[Events]\nDialogue: 0,0:00:01.00\n", 3, "2 of 10 fields"),
        (b"[Script Info]\n[Events]\nDialogue: 0,soon,0:00:01.00,,,,,,,x\n", 3, "0:00:01.50"),
        (b"[Script Info]\n[Events]\nFormat: Start, Text\n", 3, "Start and End"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n" + b"x" * 4001, 2, "4000 characters"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\x81", 3, "windows-1252"),
        (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'>]><tt>&a;</tt>", 1, "is expected here"),
    ],
)
@attack("B33")
def test_what_cannot_be_read_says_where(data: bytes, line: int, words: str) -> None:
    with pytest.raises(TextInvalid, match=re.escape(words)) as fault:
        read(data)
    assert fault.value.line == line


def test_an_unknown_charset_is_refused() -> None:
    with pytest.raises(TextInvalid, match="save it as UTF-8"):
        decoded(b"x", "utf-7")


def test_too_many_cues_are_refused() -> None:
    with pytest.raises(TextInvalid, match="20000 are allowed"):
        in_order(Cue(n, n + 1, "x") for n in range(MAX_CUES + 1))


@attack("B35")
@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("<script>alert(1)</script>hi", "alert(1)hi"),
        ("<img src=x onerror=alert(1)>hi", "hi"),
        ("<i onmouseover=x>hi", "<i>hi</i>"),
        ("<b><i>hi</b>", "<b><i>hi</i></b>"),
        ("a --> b", "a --&gt; b"),
        ("&lt;script&gt;", "&lt;script&gt;"),
        ("&#60;b&#62; &#0;\u0085\x1b[31m", "&lt;b&gt; \ufffd[31m"),
        ("x\n\n00:00:00.000 --> 00:09:00.000\ny", "x\n00:00:00.000 --&gt; 00:09:00.000\ny"),
        ("a\u2028b\x00c", "a\nbc"),
        ("<ruby>漢<rt>かん</rt></ruby>", "<ruby>漢<rt>かん</rt></ruby>"),
        ("<rt>out</rt>", "out"),
        ("<lang en-gb>tea</lang><lang url(x)>tea</lang>", "<lang en-GB>tea</lang>tea"),
        ('<v "><script>Ada>hi', '<v ">Ada&gt;hi</v>'),
        ("<i></i>\n \n", ""),
        ("<" * 50, "&lt;" * 50),
    ],
)
def test_markup(given: str, left: str) -> None:
    assert markup.clean(given) == left


def test_settings() -> None:
    assert clean_settings("line:0 line:-1 size:101% position:50%,center align:middle x vertical:rl") == (
        "line:-1 position:50%,center vertical:rl"
    )


TEXTS = st.text(
    st.sampled_from("<>/ibcv.rtuylang &;#x0lt-\n\r\t\x00\x1b\u2028\u202eé漢") | st.characters(), max_size=60
)


@attack("B35")
@given(text=TEXTS)
def test_whatever_is_cleaned_is_clean(text: str) -> None:
    for unescape in (markup.unescape_all, markup.unescape_simple):
        cleaned = markup.clean(text, unescape)
        assert markup.clean(cleaned) == cleaned
        assert "-->" not in cleaned
        assert "\n\n" not in cleaned
        assert all(sign == "\n" or (sign >= " " and not "\x7f" <= sign <= "\x9f") for sign in cleaned)
        left = re.sub(r"</?(?:i|b|u|c|v|lang|ruby|rt)(?:\.[\w-]+)*(?: [^<>]*)?>", "", cleaned)
        assert "<" not in left
        assert ">" not in left


@given(
    parts=st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(1, 10**5), TEXTS, st.sampled_from(["", "line:0", "size:5%"])),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_reads_the_same(parts: list[tuple[int, int, str, str]]) -> None:
    cleaned = [Cue(start, start + long, markup.clean(text), where) for start, long, text, where in parts]
    shown = [each for each in cleaned if each.text]
    if not shown:
        return
    cues = in_order(shown)
    text = webvtt.render(cues)
    assert webvtt.parse(text) == webvtt.read_own(text) == cues
    assert webvtt.render(webvtt.parse(text)) == text


@given(data=st.binary(max_size=300) | TEXTS.map(lambda text: ("WEBVTT\n\n" + text).encode()))
def test_nothing_but_the_one_fault_is_raised(data: bytes) -> None:
    try:
        assert read(data).cues
    except TextInvalid:
        pass


def test_cut_to_a_beginning() -> None:
    cues = (Cue(0, 5000, "a"), Cue(4000, 6000, "b"), Cue(5000, 6000, "c"))
    assert until(cues, 5000) == (Cue(0, 5000, "a"), Cue(4000, 5000, "b"))
