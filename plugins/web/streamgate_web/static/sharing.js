// From a dropped file to a video people watch: who may, the upload, the preparation, and where it is then.
import { whoIsHere } from "./access.js";
import { Refusal, ask } from "./ask.js";
import { GateFields } from "./gate.js";
import { drawPause, taskOf, turn } from "./making.js";
import { send } from "./sending.js";
import { bytes, sentence, speed, timeLeft } from "./words.js";

const element = (id) => document.getElementById(id);
const LOOK_EVERY_MS = 1000;
const MAY_CREATE = ["creator", "moderator", "admin"];

class CannotBeMade extends Error {}

export class Sharing {
  // `done(contentId)` is told when there is something to watch; `changed()` when the list is no longer as it was.
  constructor(done, changed) {
    this.done = done;
    this.changed = changed;
    this.file = null;
    this.work = null; // an AbortController while something is on its way
    this.contentId = ""; // of what is on its way
    this.task = null; // that prepares it
    this.finishedBy = ""; // the person whose finished video is still shown
    this.gate = new GateFields(element("share-gate"));
    this.listen();
  }

  // People who may create see the form; a running upload stays in sight.
  showFor(person) {
    const may = Boolean(person?.roles.some((role) => MAY_CREATE.includes(role)));
    element("share").hidden = !may && !this.work;
    if (this.finishedBy && this.finishedBy !== person?.userId) this.clear(); // what is done was somebody else's
    if (may && !this.file) this.gate.reset();
  }

  listen() {
    const drop = element("drop");
    for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, () => drop.classList.add("over"));
    for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
    element("file").addEventListener("change", (event) => this.take(event.target.files[0]));
    element("share-clear").addEventListener("click", () => this.clear());
    element("share-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.share();
    });
    element("sending-cancel").addEventListener("click", () => this.work?.abort(new DOMException("cancelled", "AbortError")));
    element("sending-pause").addEventListener("click", () => this.turn());
    element("sending-watch").addEventListener("click", () => this.clear());
    window.addEventListener("beforeunload", (event) => this.work && event.preventDefault());
  }

  take(file) {
    if (!file) return;
    this.file = file;
    element("drop-words").textContent = file.name;
    element("drop-about").textContent = bytes(file.size);
    element("title").value = file.name.replace(/\.[^.]{1,5}$/, "").replace(/[_-]+/g, " ").slice(0, 200);
    element("share-more").hidden = false;
    element("title").focus();
  }

  clear() {
    this.file = null;
    this.finishedBy = "";
    element("share-form").reset();
    this.gate.reset();
    element("share-more").hidden = true;
    element("drop-words").textContent = "Drop a video here, or choose one";
    element("drop-about").textContent = "It is uploaded, prepared for every player, and opens for whom you say.";
    element("share-form").hidden = false;
    element("sending").hidden = true;
    this.showFor(whoIsHere());
  }

  async share() {
    const rule = this.gate.rule();
    if (!this.file || !rule || this.work) return;
    const file = this.file;
    this.work = new AbortController();
    const { signal } = this.work;
    this.show(file.name);
    let content = null;
    let isSent = false;
    try {
      const details = {
        title: element("title").value.trim(),
        visibility: element("listed").checked ? "listed" : "unlisted",
        protection: element("encrypted").checked ? "encrypted" : "none",
      };
      content = await ask("POST", "/api/v1/content", { ...details, gate: rule }, { signal });
      this.contentId = content.content_id;
      const beganMs = performance.now();
      await send(file, content.content_id, (sent) => this.tellSent(sent, file.size, beganMs), signal);
      isSent = true;
      await this.prepare(content.content_id, signal);
    } catch (fault) {
      const isOver = fault instanceof CannotBeMade || fault.name === "AbortError";
      if (isSent && !isOver) this.leave(fault);
      else await this.takeBack(content, fault);
    }
    this.work = null;
    this.drawTask(null);
    element("sending-cancel").textContent = "Cancel";
  }

  // Whether a video's progress is shown here.
  prepares(contentId) {
    return Boolean(this.work) && this.contentId === contentId;
  }

  async turn() {
    await turn(this.task).catch(() => null); // what is so is shown within a second
    await this.tellPrepared(this.contentId, !element("sending-watch").hidden, this.work?.signal).catch(() => null);
  }

  drawTask(task) {
    this.task = task;
    drawPause(element("sending-pause"), task);
  }

  show(name) {
    element("share-form").hidden = true;
    element("sending").hidden = false;
    element("sending-name").textContent = name;
    element("sending-watch").hidden = true;
    element("sending-cancel").hidden = false;
    this.tell(0, "Beginning …");
  }

  tellSent(sent, size, beganMs) {
    const seconds = (performance.now() - beganMs) / 1000;
    const rate = sent / Math.max(seconds, 0.1);
    const rest = sent < size ? ` · ${speed(rate)}${timeLeft((size - sent) / rate)}` : "";
    this.tell(size ? sent / size : 1, `Uploading: ${bytes(sent)} of ${bytes(size)}${rest}`);
  }

  // Until everything is made, or nothing can be: what is being done and how far it is, as the server tells it. An
  // answer that is lost is asked for again: the video is with the server, and goes on without this page.
  async prepare(contentId, signal) {
    const seen = { canWatch: false, state: "" };
    for (;;) {
      try {
        if (await this.look(contentId, seen, signal)) return;
      } catch (fault) {
        if (!(fault instanceof Refusal && fault.mayPass)) throw fault;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
      signal.throwIfAborted();
    }
  }

  // Whether it is over.
  async look(contentId, seen, signal) {
    const content = await ask("GET", `/api/v1/content/${contentId}`, undefined, { signal });
    if (content.state === "failed") throw new CannotBeMade(content.failure_detail || "nothing in it can be watched");
    if (content.playable && !seen.canWatch) {
      seen.canWatch = true;
      this.offer(contentId);
    }
    if (content.state === "ready") {
      this.finish(content);
      return true;
    }
    if (seen.state !== content.state) this.changed(); // the list says it, too
    seen.state = content.state;
    await this.tellPrepared(contentId, seen.canWatch, signal);
    return false;
  }

  async tellPrepared(contentId, canWatch, signal) {
    const found = await taskOf(contentId, signal);
    if (!this.prepares(contentId)) return;
    this.drawTask(found);
    const task = found ?? { progress: 0, eta_s: null, fps: null };
    const isPaused = task.status === "paused";
    const words = canWatch ? "It can be watched; the other qualities " : "";
    const doing = canWatch ? (isPaused ? "are paused" : "follow") : isPaused ? "Paused" : "Preparing it for players";
    const rate = task.fps ? ` · ${Math.round(task.fps)} frames/s · ${task.speed.toFixed(1)}×` : "";
    const made = task.frames_planned ? ` · ${task.frames} of ${task.frames_planned} frames` : "";
    this.tell(task.progress, `${words}${doing}: ${Math.round(task.progress * 100)} %${made}${rate}${timeLeft(task.eta_s)}`);
  }

  offer(contentId) {
    const link = element("sending-watch");
    link.href = `/?v=${encodeURIComponent(contentId)}`;
    link.hidden = false;
    this.done(contentId);
  }

  finish(content) {
    this.tell(1, content.warnings.length ? `Ready. ${content.warnings.map(sentence).join(" ")}` : "Ready.");
    element("sending-cancel").hidden = true;
    this.finishedBy = whoIsHere()?.userId ?? "nobody";
    this.changed();
  }

  // It was sent, and this page may not see it any more: signed out elsewhere, or deleted. Nothing is taken back.
  leave(fault) {
    this.clear();
    element("sending").hidden = false;
    this.tell(0, `How far it is cannot be shown any more: ${sentence(reason(fault))}`);
    element("sending-cancel").hidden = true;
    this.finishedBy = whoIsHere()?.userId ?? "nobody";
    this.changed();
  }

  // Cancelled, or it cannot be: what was begun is taken away again, and the form is as it was.
  async takeBack(content, fault) {
    const isCancelled = fault?.name === "AbortError";
    if (content) await ask("DELETE", `/api/v1/content/${content.content_id}`).catch(() => null);
    this.changed();
    element("share-form").hidden = false;
    element("sending").hidden = !fault || isCancelled;
    element("sending-cancel").hidden = true;
    element("sending-watch").hidden = true;
    if (!isCancelled) this.tell(0, `It could not be shared: ${sentence(reason(fault))}`);
  }

  tell(progress, words) {
    element("sending-bar").value = progress;
    element("sending-words").textContent = words;
  }
}

function reason(fault) {
  if (!(fault instanceof Refusal)) return fault?.message || "the browser gave up";
  return fault.fields.length ? fault.fields.map((each) => each.message).join("; ") : fault.message;
}
