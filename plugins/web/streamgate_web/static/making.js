// How the making of one's own video comes along, below it: pause and go on, and what could not be made, to try again.
import { whoIsHere } from "./access.js";
import { Refusal, ask } from "./ask.js";
import { sentence, timeLeft } from "./words.js";

const element = (id) => document.getElementById(id);
const LOOK_EVERY_MS = 2000;
const OPEN = ["queued", "scheduled", "running", "paused"];

// The newest transcode of a video, as far as there is one.
export async function taskOf(contentId, signal) {
  const info = await ask("GET", `/api/v1/stream/info?content_id=${contentId}`, undefined, { signal });
  if (!info.task_id) return null;
  return ask("GET", `/api/v1/transcode/status?task_id=${info.task_id}`, undefined, { signal });
}

// The button says what it would do; it is there while there is anything to pause.
export function drawPause(button, task) {
  button.textContent = task?.status === "paused" ? "Continue" : "Pause";
  button.hidden = !OPEN.includes(task?.status);
}

export function turn(task) {
  const verb = task.status === "paused" ? "resume" : "pause";
  return ask("POST", `/api/v1/transcode/${verb}`, { task_id: task.task_id });
}

export class Making {
  // `isElsewhere(contentId)`: its progress is shown already, where it is being sent.
  constructor(isElsewhere) {
    this.isElsewhere = isElsewhere;
    this.contentId = "";
    this.task = null;
    this.timer = 0;
    element("making-pause").addEventListener("click", () => this.act(() => turn(this.task)));
  }

  show(content) {
    const isOwn = Boolean(content) && content.owner === whoIsHere()?.userId;
    const contentId = isOwn ? content.content_id : "";
    if (contentId && contentId === this.contentId) return;
    clearTimeout(this.timer);
    this.contentId = contentId;
    this.draw(null);
    if (contentId) this.look();
  }

  async look() {
    clearTimeout(this.timer);
    const { contentId } = this;
    const task = await taskOf(contentId).catch(() => null); // it is asked again when the video is chosen again
    if (contentId !== this.contentId) return;
    this.draw(task);
    if (OPEN.includes(task?.status)) this.timer = setTimeout(() => this.look(), LOOK_EVERY_MS);
  }

  async act(call) {
    this.tell("");
    try {
      await call();
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      this.tell(sentence(refusal.message));
    }
    await this.look();
  }

  draw(task) {
    this.task = task;
    const isOpen = OPEN.includes(task?.status) && !this.isElsewhere(this.contentId);
    const failed = (task?.renditions ?? []).filter((each) => each.status === "failed" && task.status !== "failed");
    element("making").hidden = !isOpen && !failed.length;
    element("making-progress").hidden = !isOpen;
    if (isOpen) {
      element("making-words").textContent = inWords(task);
      element("making-bar").value = task.progress;
      drawPause(element("making-pause"), task);
    }
    this.drawFailed(failed);
  }

  // Drawn anew only where it is another list: a button that has the focus keeps it.
  drawFailed(failed) {
    const list = element("making-failed");
    const ids = failed.map((each) => each.id).join(" ");
    if (list.dataset.ids === ids) return;
    list.dataset.ids = ids;
    if (list.contains(document.activeElement)) element("making").focus();
    list.replaceChildren(...failed.map((each) => this.drawnFailure(each)));
  }

  drawnFailure(rendition) {
    const item = document.createElement("li");
    const words = document.createElement("span");
    words.textContent = `${nameOf(rendition)} could not be made.`;
    const again = document.createElement("button");
    again.type = "button";
    again.className = "quiet";
    again.textContent = "Try again";
    again.setAttribute("aria-label", `Try again to make ${nameOf(rendition)}`);
    const wanted = { task_id: this.task.task_id, rendition_id: rendition.id };
    again.addEventListener("click", () => this.act(() => ask("POST", "/api/v1/transcode/retry", wanted)));
    item.append(words, " ", again);
    return item;
  }

  tell(text) {
    element("making-fault").textContent = text;
    element("making-fault").hidden = !text;
  }
}

const nameOf = (rendition) => (rendition.kind === "audio" ? `The sound (${rendition.name})` : rendition.name);

function inWords(task) {
  const percent = `${Math.round(task.progress * 100)} %`;
  if (task.status === "paused") return `Paused at ${percent}. What can be watched can be watched on.`;
  return `Being prepared: ${percent}${timeLeft(task.eta_s)}`;
}
