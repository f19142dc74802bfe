// How the making of one's own video comes along, below it: pause and go on, and what could not be made, to try again.
import { whoIsHere } from "./access.js";
import { ask } from "./ask.js";
import { sentence, timeLeft } from "./words.js";

const element = (id) => document.getElementById(id);
const LOOK_EVERY_MS = 2000;
const OPEN = ["queued", "scheduled", "running", "paused"];

// The newest transcode of a video, as far as there is one. `hasNothing`: with it failed everything, and was taken back.
export async function taskOf(contentId, signal) {
  const info = await ask("GET", `/api/v1/stream/info?content_id=${contentId}`, undefined, { signal });
  if (!info.task_id) return null;
  const task = await ask("GET", `/api/v1/transcode/status?task_id=${info.task_id}`, undefined, { signal });
  return { ...task, hasNothing: Boolean(info.error_code) };
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
    this.isActing = false;
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
    const [task, isLost] = await taskOf(contentId).then(
      (found) => [found, false],
      (fault) => (fault.mayPass ? [this.task, true] : [null, false]), // as far as is known, until somebody answers
    );
    if (contentId !== this.contentId) return;
    clearTimeout(this.timer); // of another look meanwhile
    this.draw(task);
    if (isLost || OPEN.includes(task?.status)) this.timer = setTimeout(() => this.look(), LOOK_EVERY_MS);
  }

  // One at a time: nothing is asked for twice. (A button that is disabled would lose the focus.)
  async act(call) {
    if (this.isActing) return;
    this.isActing = true;
    this.tell("");
    try {
      await call().catch((refusal) => this.tell(sentence(refusal.message)));
      await this.look();
    } finally {
      this.isActing = false;
    }
  }

  draw(task) {
    this.task = task;
    const isOpen = OPEN.includes(task?.status) && !this.isElsewhere(this.contentId);
    const failed = task && !task.hasNothing ? task.renditions.filter((each) => mayBeRetried(each, task)) : [];
    const isEmpty = !isOpen && !failed.length;
    this.drawFailed(failed);
    const goes = element(isEmpty ? "making" : "making-progress"); // what has the focus and goes away hands it on
    if (!isOpen && goes.contains(document.activeElement)) element(isEmpty ? "player-title" : "making").focus();
    element("making").hidden = isEmpty;
    element("making-progress").hidden = !isOpen;
    if (isOpen) {
      element("making-words").textContent = inWords(task);
      element("making-bar").value = task.progress;
      drawPause(element("making-pause"), task);
    }
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

// What was cancelled has no jobs any more; what is made when somebody asks needs none.
const mayBeRetried = (rendition, task) =>
  rendition.status === "failed" && (rendition.policy === "lazy" || task.status !== "cancelled");

const nameOf = (rendition) => (rendition.kind === "audio" ? `The sound (${rendition.name})` : rendition.name);

function inWords(task) {
  const percent = `${Math.round(task.progress * 100)} %`;
  if (task.status === "paused") return `Paused at ${percent}. What can be watched can be watched on.`;
  return `Being prepared: ${percent}${timeLeft(task.eta_s)}`;
}
