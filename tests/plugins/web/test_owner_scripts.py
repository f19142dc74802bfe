"""What owners do on the page while answers are lost, come late, or are about something else."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.web.scripts import run

SENT = """
const { Sharing } = await import("./sharing.js");
const sharing = new Sharing(() => {}, () => {});
const file = new Blob(["x"]);
file.name = "film.mp4";
sharing.gate.rule = () => ({ public: {} });
let looks = 0;
const sent = { chunk: [], complete: [] }; // what is answered first
const share = (answers) => {
  server = (method, path) => {
    if (path.startsWith("/api/v1/auth")) return said({}, 401);
    if (path === "/api/v1/content") return said({ content_id: "c_1" });
    if (path === "/api/v1/upload/init") return said({ upload_id: "u_1", chunks: 1, chunk_size_bytes: 9 });
    const [refused] = (sent[/upload\\/([a-z]+)/.exec(path)?.[1]] ?? []).splice(0, 1);
    if (refused) return said({}, refused);
    if (path.startsWith("/api/v1/stream/info")) return said({ task_id: "t_1" });
    if (method === "GET" && path.startsWith("/api/v1/content/")) return answers[looks++ % answers.length]();
    return said({ status: "paused", progress: 0.2 });
  };
  sharing.file = file;
  return sharing.share();
};
const making = () => said({ state: "processing", warnings: [] });
"""


async def test_what_was_sent_is_not_taken_back_because_an_answer_is_lost(tmp_path: Path) -> None:
    scene = """
        const lost = [503, 502, 429, 500].map((status) => () => said({}, status));
        Object.assign(sent, { chunk: [503, 429, 409], complete: [502, 503] });
        const away = () => { throw new TypeError("no network"); };
        await share([making, ...lost, away, making, () => said({ state: "ready", warnings: [] })]);
        const taken = asked.filter((each) => each.startsWith("DELETE"));
        const found = [taken, page["sending-words"].textContent, sent.chunk, sent.complete];
    """
    assert await run(tmp_path, SENT + scene) == [[], "Ready.", [], []]


async def test_what_may_not_be_seen_any_more_is_left_where_it_is(tmp_path: Path) -> None:
    scene = """
        const found = [];
        for (const status of [404, 401]) { // deleted elsewhere, signed out
          await share([making, () => said({ detail: "it is away" }, status)]);
          found.push(page["sending-words"].textContent);
        }
        found.push(asked.filter((each) => each.startsWith("DELETE")));
    """
    told = "How far it is cannot be shown any more: It is away."
    assert await run(tmp_path, SENT + scene) == [told, told, []]


async def test_what_cannot_be_made_or_is_cancelled_is_taken_back(tmp_path: Path) -> None:
    scene = """
        await share([making, () => said({ state: "failed", failure_detail: "it is no video" })]);
        const words = page["sending-words"].textContent;
        const cancelled = share([making]);
        await until(() => looks > 9);
        page["sending-cancel"].on.click();
        await cancelled;
        const found = [asked.filter((each) => each.startsWith("DELETE")), words];
    """
    gone = "DELETE /api/v1/content/c_1"
    assert await run(tmp_path, SENT + scene) == [[gone] * 2, "It could not be shared: It is no video."]


MADE = """
const { Making } = await import("./making.js");
const making = new Making(() => false);
let task = { task_id: "t_1", status: "running", progress: 0.4, eta_s: null, renditions: [] };
let info = { task_id: "t_1" };
let status = 200;
server = (method, path) => (path.startsWith("/api/v1/stream/info") ? said(info, status) : said(task));
const failed = { id: "v720", name: "720p", kind: "video", status: "failed" };
const looksTwice = async () => {
  const before = asked.length;
  await until(() => asked.length > before + 4);
};
"""


async def test_how_far_it_is_stays_while_answers_are_lost(tmp_path: Path) -> None:
    scene = """
        const found = [];
        status = 503;
        making.show({ owner: "p_1", content_id: "c_1" });
        await looksTwice();
        status = 200;
        await until(() => !page.making.hidden);
        status = 503;
        await looksTwice();
        found.push(page.making.hidden, page["making-words"].textContent);
        status = 404;
        await until(() => page.making.hidden);
        const before = asked.length;
        await settled();
        found.push(asked.length - before);
    """
    assert await run(tmp_path, MADE + scene) == [False, "Being prepared: 40 %", 0]


async def test_to_try_again_is_offered_where_it_can_be_done(tmp_path: Path) -> None:
    scene = """
        const found = [];
        const some = [["failed", ""], ["dead", ""], ["done", ""], ["cancelled", ""], ["cancelled", "", "lazy"]];
        const all = [["failed", "media.corrupt"], ["dead", "media.job_failed"]];
        for (const [n, [end, fault, policy]] of [...some, ...all].entries()) {
          task = { ...task, status: end, renditions: [failed, { ...failed, id: "v360", policy }].slice(fault ? 0 : 1) };
          info = { ...info, error_code: fault };
          making.show({ owner: "p_1", content_id: `c_${n}` });
          await until(() => making.task);
          const offered = page["making-failed"].inside;
          found.push(offered.length);
          if (n) continue;
          for (const _ of "twice") offered[0].inside[2].on.click();
          await until(() => !making.isActing);
          found.push(asked.filter((each) => each.startsWith("POST")).length);
        }
    """
    assert await run(tmp_path, MADE + scene) == [1, 1, 1, 1, 0, 1, 0, 0]


DIALOG = """
const { Postering } = await import("./postering.js");
const postering = new Postering(() => {});
let etag = '"film"', warnings = [], waits = null, gone = false, lost = 0;
server = async (method, path) => {
  if (lost-- > 0) return said({}, 503);
  if (method === "PUT" || method === "DELETE") return said({});
  if (path.startsWith("/api/v1/stream/info")) return said({ warnings });
  if (path === "/api/v1/content/c_A") await waits;
  if (path.startsWith("/api/v1/content/")) return said({ poster_url: `/poster/${path.at(-1)}` });
  return gone ? said({ title: "no poster" }, 404) : new Response(`${path} ${etag}`, { headers: { ETag: etag } });
};
const open = async (id) => {
  postering.show({ content_id: id });
  page["poster-file"].files = [];
  page["change-poster"].on.click();
  await until(() => !page["poster-give"].disabled);
};
const give = () => {
  page["poster-file"].files = [new Blob(["x"])];
  page["poster-form"].on.submit({ preventDefault() {} });
};
const given = () => asked.some((each) => each.startsWith("PUT"));
const told = () => [page["poster-state"].textContent, page["poster-now"].src, page["poster-fault"].textContent];
"""


async def test_a_picture_is_given_to_the_video_the_dialog_is_of(tmp_path: Path) -> None:
    scene = """
        await open("c_A");
        postering.show({ content_id: "c_B" }); // the browser's back, behind the dialog
        give();
        await until(given);
        page["poster-close"].on.click();
        let go;
        waits = new Promise((resolve) => (go = resolve));
        postering.show({ content_id: "c_A" });
        page["change-poster"].on.click();
        give();
        page["poster-close"].on.click();
        await open("c_B");
        go();
        await settled(); await settled();
        const found = [asked.filter((each) => each.startsWith("PUT")), page["poster-now"].src];
    """
    assert await run(tmp_path, DIALOG + scene) == [["PUT /api/v1/stream/poster/c_A.jpg"], '/poster/B "film"']


async def test_the_poster_of_the_film_is_not_taken_for_the_own(tmp_path: Path) -> None:
    scene = """
        const found = [];
        for (const next of ['"own-1"', '"own-2"']) { // the second time the same picture
          await open("c_A");
          give();
          etag = etag === '"film"' ? '"another of the film"' : etag;
          await until(() => page["poster-state"].textContent.startsWith("It is being made"));
          lost = 2;
          const before = asked.length;
          await until(() => asked.length > before + 6);
          found.push(page["poster-state"].textContent);
          etag = next;
          await until(() => !page["poster-give"].disabled);
          found.push(...told());
        }
    """
    waits = "It is being made …"
    assert await run(tmp_path, DIALOG + scene) == [
        *(waits, "This is the poster now.", '/poster/A "own-1"', ""),
        *(waits, "This is the poster now.", '/poster/A "own-2"', ""),
    ]


async def test_a_picture_that_is_not_used_or_does_not_come_is_told_as_it_is(tmp_path: Path) -> None:
    scene = """
        await open("c_A");
        give();
        await until(() => !page["poster-give"].disabled);
        const found = [told()[0]];
        give();
        await until(() => page["poster-state"].textContent.startsWith("It is being made"));
        warnings = ["poster: media.corrupt: it is torn"];
        await until(() => !page["poster-give"].disabled);
        found.push(told()[0], told()[2]);
        gone = true; // a film without pictures has no poster of its own
        page["poster-film"].on.click();
        await until(() => !page["poster-give"].disabled);
        found.push(told()[0], told()[2]);
    """
    assert await run(tmp_path, DIALOG + scene) == [
        "It has not come yet. It is shown once it is made; what is damaged is not used.",
        *("This is the poster now.", "This picture is not used: it is torn."),
        *("There is no poster yet.", ""),
    ]
