"""What the page says where playback does not begin, ends or goes on without a decision; and the gate as a tree."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

import streamgate_web

STATIC = Path(streamgate_web.__file__).parent / "static"
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
PERSON = {"address": ADDRESS}
DAY = "2030-01-02T03:04:05Z"


async def run(folder: Path, scene: str, **given: Any) -> Any:
    """What the scene's `found` is at its end; it knows the functions of notices.js and tree.js."""
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("notices.js", "tree.js", "words.js"):
        (folder / name).write_text((STATIC / name).read_text())
    lines = [
        'import * as notices from "./notices.js";',
        'import { treeOf } from "./tree.js";',
        *(f"const {name} = {json.dumps(value)};" for name, value in given.items()),
        f"const found = {scene};",
        "console.log(JSON.stringify(found));",
    ]
    (folder / "scene.js").write_text("\n".join(lines))
    node = await asyncio.create_subprocess_exec(
        "node",
        str(folder / "scene.js"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TZ": "UTC"},
    )
    said, faults = await node.communicate()
    assert node.returncode == 0, faults.decode()
    return json.loads(said)


def leaf(outcome: str, text: str, **more: Any) -> dict[str, Any]:
    return {"kind": "erc721", "outcome": outcome, "text": text, "asked": True, **more}


def group(kind: str, outcome: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "outcome": outcome, "text": "in words", "asked": True, "parts": list(parts), **more}


def seen(tree: dict[str, Any]) -> Any:
    """A tree as (state, label, parts)."""
    return [tree["state"], tree["label"], *([seen(part) for part in tree["parts"]],) * bool(tree["parts"])]


REFUSE = "notices.refusalInWords(refusal, {}, person, { canMint: false, hasPlayed: true })"


async def test_playback_that_was_taken_back_says_until_when_and_what_was_said_of_it(tmp_path: Path) -> None:
    refusal = {"code": "stream.revoked", "until": DAY, "reason": "the licence has ended", "by": "owner"}
    told = await run(tmp_path, REFUSE, refusal=refusal, person=PERSON)
    assert told["title"] == "Playback was taken back"
    taken = "The person who shared this video has taken it back."
    assert told["words"] == f"{taken}\nThey say: “the licence has ended”"
    assert told["hint"] == "It can be watched again from 2 Jan 2030, 03:04."
    unsaid = await run(tmp_path, REFUSE, refusal={**refusal, "reason": "", "by": "server"}, person=PERSON)
    assert unsaid["words"] == "This server's operators have taken it back."


async def test_playback_that_somebody_has_ended_is_offered_again(tmp_path: Path) -> None:
    reasons = ["ended_by_owner", "ended_by_server", "revoked", "refused", ""]
    scene = "[...reasons.map((reason) => ({ reason })), null].map(notices.endedBySomebody)"
    owner, server, *others = await run(tmp_path, scene, reasons=reasons)
    assert (owner["title"], owner["words"]) == ("Playback has ended", "The person who shared this video has ended it.")
    assert server["words"] == "This server's operators have ended it."
    assert owner["action"] == server["action"] == "watch-again"
    assert others == [None] * 4


async def test_it_is_asked_again_only_where_nobody_has_to_do_anything(tmp_path: Path) -> None:
    scene = """[
        [{ code: "stream.revoked", until: new Date(Date.now() + 60_000).toISOString() }, {}],
        [{ code: "stream.revoked", until: new Date(Date.now() - 60_000).toISOString() }, {}],
        [{ code: "stream.revoked", until: "2999-01-01T00:00:00Z" }, {}],
        [{ code: "gate.unknown" }, {}],
        [{ code: "gate.refused" }, {}],
        [{ code: "stream.not_playable" }, { state: "processing" }],
        [{ code: "stream.not_playable" }, { state: "failed" }],
    ].map((each) => Math.ceil(notices.askAgainAfterS(...each)))"""
    assert await run(tmp_path, scene) == [60, 1, 0, 10, 0, 3, 0]


async def test_a_grace_says_why_and_until_when(tmp_path: Path) -> None:
    scene = (
        "[...graces.map((grace) => notices.remarkOn({ grace })), notices.remarkOn({ grace: null, preview_s: null })]"
    )
    graces = [{"until": DAY, "reason": reason} for reason in ("cannot be read now", "not confirmed yet")]
    unread, other, nothing = await run(tmp_path, scene, graces=graces)
    until = "Playback goes on until 2 Jan 2030, 03:04, and no longer unless that changes."
    assert unread == f"The chain cannot be read now. {until}"
    assert other == f"The gate cannot be decided now (not confirmed yet). {until}"
    assert nothing == ""


async def test_a_free_beginning_is_announced_and_its_end_says_what_opens_the_rest(tmp_path: Path) -> None:
    how = "{ canMint: true, wasOpen: false }"
    scene = (
        "[notices.remarkOn({ preview_s: 30 }), notices.remarkOn({ preview_s: 180 }), "
        f"notices.previewOver(30, null, null, {how}), notices.previewOver(30, lacks, person, {how}), "
        "notices.previewOver(30, lacks, person, { canMint: false, wasOpen: true })]"
    )
    lacks = leaf("does_not_hold", "holds a token of 0xabc", needed="1", held="0")
    seconds, minutes, nobody, somebody, sold = await run(tmp_path, scene, lacks=lacks, person=PERSON)
    assert (seconds, minutes) == ("The first 30 seconds are free to watch.", "The first 3 minutes are free to watch.")
    assert nobody["action"] == "sign-in"
    assert somebody["words"] == "Its first 30 seconds are free.\nNeeded: a wallet that holds a token of 0xabc."
    assert (somebody["action"], somebody["tree"]["facts"]) == ("mint", ["needed: 1", "held: 0"])
    assert sold["title"] == "Playback has ended"
    assert sold["words"].startswith("The gate no longer opens for the wallet 0x5290")


async def test_the_tree_has_the_shape_of_the_rule_and_a_mark_for_each_part(tmp_path: Path) -> None:
    explained = group(
        "all",
        "does_not_hold",
        group(
            "at_least",
            "unknown",
            leaf("holds", "holds a token of A"),
            leaf("unknown", "holds a token of B", reason="cannot be read now"),
            leaf("unknown", "has the role critic", asked=False),
            needed="2",
            held="1",
        ),
        group("any", "does_not_hold", group("all", "does_not_hold", leaf("does_not_hold", "is invited (friends)"))),
        group("not", "does_not_hold", leaf("holds", "holds a token of C")),
        group("not", "holds", group("any", "does_not_hold", leaf("does_not_hold", "D"), leaf("does_not_hold", "E"))),
    )
    tree = await run(tmp_path, "treeOf(explained)", explained=explained)
    assert seen(tree) == [
        "lacks",
        "All of these",
        [
            [
                "unknown",
                "At least 2 of these 3 (1 so far)",
                [
                    ["holds", "holds a token of A"],
                    ["unknown", "holds a token of B"],
                    ["skipped", "has the role critic"],
                ],
            ],
            ["lacks", "is invited (friends)"],
            ["lacks", "Not: holds a token of C"],
            ["holds", "Not this", [["lacks", "Any one of these", [["lacks", "D"], ["lacks", "E"]]]]],
        ],
    ]
    inside = tree["parts"][3]["parts"][0]["parts"][0]
    assert (tree["meaning"], inside["meaning"]) == ("not met", "not the case")
    assert tree["parts"][0]["parts"][1]["facts"] == ["cannot be read now"]


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://opensea.io/assets/x", {"href": "https://opensea.io/assets/x", "words": "Get it at opensea.io"}),
        ("javascript:alert(1)", None),
        ("nowhere", None),
        ("", None),
    ],
)
async def test_nothing_but_a_page_of_the_web_is_linked(tmp_path: Path, link: str, shown: Any) -> None:
    tree = await run(tmp_path, "treeOf(leaf)", leaf=leaf("does_not_hold", "holds a token", link=link))
    assert tree["link"] == shown


async def test_of_a_leaf_amounts_are_told_as_people_count_them(tmp_path: Path) -> None:
    held = {"needed": "1500000", "held": "0", "needed_text": "1.5 USDC", "held_text": "0 USDC", "held_by": ADDRESS}
    leaves = [
        leaf("does_not_hold", "holds at least 1.5 USDC", **held),
        leaf("does_not_hold", f"the time is from {DAY}", held_text=f"it is {DAY}", satisfy=f"come from {DAY}"),
        leaf("does_not_hold", "has the role x", held_text="creator", satisfy="ask who runs this server"),
        leaf("unknown", "holds A", needed="1", reason="cannot be read now"),
    ]
    told = await run(tmp_path, "leaves.map((leaf) => treeOf(leaf).facts)", leaves=leaves)
    assert told == [
        ["needed: 1.5 USDC", "held: 0 USDC", "by 0x5290\u2060…\u20609EE7"],
        ["it is 2 Jan 2030, 03:04"],
        ["held: creator", "ask who runs this server"],
        ["needed: 1", "cannot be read now"],
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("holds a token", "Needed: a wallet that holds a token."),
        ("the time is from then", "Needed: a wallet of which this is true: the time is from then."),
    ],
)
async def test_a_rule_of_one_requirement_is_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    refusal = {"code": "gate.refused", "explanation": group("any", "does_not_hold", leaf("does_not_hold", text))}
    told = await run(tmp_path, REFUSE, refusal=refusal, person=None)
    assert told["words"] == f"The gate no longer opens for you.\n{words}"
    assert told["tree"] is None, "the sentence has said it all"
