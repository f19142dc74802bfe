// A bar below the player that shows what is where: a small picture of the moment under the pointer, cut from a sheet.
import { duration } from "./words.js";

const CUE = /^(\d+):(\d+):([\d.]+) --> \S+\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm;

// What an index (WebVTT) names, by time.
export function picturesOf(text, url) {
  return Array.from(text.matchAll(CUE), (cue) => {
    const [hours, minutes, seconds, x, y, width, height] = [1, 2, 3, 5, 6, 7, 8].map((n) => Number(cue[n]));
    return { fromS: hours * 3600 + minutes * 60 + seconds, url: new URL(cue[4], url).href, x, y, width, height };
  });
}

export const pictureAt = (pictures, timeS) => pictures.findLast((each) => each.fromS <= timeS) ?? pictures[0];

export class Seeking {
  constructor(root, video) {
    [this.root, this.video] = [root, video];
    [this.bar, this.peek] = [root.querySelector("input"), root.querySelector(".peek")];
    [this.pictures, this.asked] = [[], ""];
    this.bar.addEventListener("input", () => this.seek());
    this.bar.addEventListener("pointermove", (event) => this.show(this.timeUnder(event), event.offsetX));
    this.bar.addEventListener("pointerleave", () => this.hidePeek());
    this.bar.addEventListener("blur", () => this.hidePeek());
    video.addEventListener("timeupdate", () => this.follow());
    video.addEventListener("durationchange", () => this.follow());
  }

  // `url`: of the session's index; null where there is none.
  async load(url) {
    [this.asked, this.pictures, this.root.hidden] = [url, [], true];
    this.hidePeek();
    if (!url) return;
    const here = new URL(url, window.location.href).href;
    const text = await fetch(here).then((answer) => (answer.ok ? answer.text() : ""), () => "");
    if (this.asked !== url) return;
    this.pictures = picturesOf(text, here);
    this.root.hidden = !this.pictures.length;
    this.follow();
  }

  // --- inside ---------------------------------------------------------------------------------------

  seek() {
    this.video.currentTime = Number(this.bar.value);
    this.show(Number(this.bar.value), (Number(this.bar.value) / (Number(this.bar.max) || 1)) * this.bar.clientWidth);
  }

  follow() {
    this.bar.max = Number.isFinite(this.video.duration) ? this.video.duration : 0;
    this.bar.value = this.video.currentTime;
    this.bar.setAttribute("aria-valuetext", duration(this.video.currentTime));
  }

  timeUnder(event) {
    const share = event.offsetX / Math.max(1, this.bar.clientWidth);
    return Math.min(1, Math.max(0, share)) * Number(this.bar.max);
  }

  show(timeS, atPx) {
    const picture = pictureAt(this.pictures, timeS);
    if (!picture) return;
    const { style } = this.peek;
    const most = Math.max(0, this.bar.clientWidth - picture.width);
    [style.width, style.height] = [`${picture.width}px`, `${picture.height}px`];
    [style.left, style.top] = [`${Math.min(most, Math.max(0, atPx - picture.width / 2))}px`, `${-picture.height - 8}px`];
    style.backgroundImage = `url("${picture.url}")`;
    style.backgroundPosition = `${-picture.x}px ${-picture.y}px`;
    this.peek.textContent = duration(timeS);
    this.peek.hidden = false;
  }

  hidePeek() {
    this.peek.hidden = true;
  }
}
