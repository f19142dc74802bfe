// A bar below the player that shows what is where: a small picture of the moment under the pointer, cut from a sheet, and
// where chapters begin.
import { duration } from "./words.js";

const CUE = /^(\d+):(\d+):([\d.]+) --> \S+\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm;

// What an index (WebVTT) names, by time.
export function picturesOf(text, url) {
  return Array.from(text.matchAll(CUE), (cue) => {
    const [hours, minutes, seconds, x, y, width, height] = [1, 2, 3, 5, 6, 7, 8].map((n) => Number(cue[n]));
    return { fromS: hours * 3600 + minutes * 60 + seconds, url: new URL(cue[4], url).href, x, y, width, height };
  });
}

const CHAPTER = /^(\d+):(\d+):([\d.]+) --> \S+\n(.+)$/gm;
const SIGNS = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };

// Chapters of the server's WebVTT, by time.
export function chaptersOf(text) {
  return Array.from(text.matchAll(CHAPTER), ([, hours, minutes, seconds, title]) => ({
    fromS: Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds),
    title: title.replaceAll(/&(?:amp|lt|gt);/g, (sign) => SIGNS[sign]),
  }));
}

export const chapterAt = (chapters, timeS) => chapters.findLast((each) => each.fromS <= timeS) ?? null;

const textAt = (url) => fetch(url).then((answer) => (answer.ok ? answer.text() : ""), () => "");

export const pictureAt = (pictures, timeS) => pictures.findLast((each) => each.fromS <= timeS) ?? pictures[0];

const BARE = { url: "", x: 0, y: 0, width: 160, height: 24 }; // a chapter's name alone

export class Seeking {
  constructor(root, video) {
    [this.root, this.video] = [root, video];
    [this.bar, this.peek] = [root.querySelector("input"), root.querySelector(".peek")];
    this.marks = root.querySelector(".marks");
    [this.pictures, this.chapters, this.asked] = [[], [], ""];
    this.bar.addEventListener("input", () => this.seek());
    this.bar.addEventListener("pointermove", (event) => this.show(this.timeUnder(event), event.offsetX));
    this.bar.addEventListener("pointerleave", () => this.hidePeek());
    this.bar.addEventListener("blur", () => this.hidePeek());
    video.addEventListener("timeupdate", () => this.follow());
    video.addEventListener("durationchange", () => this.follow());
  }

  // Of the session's index of pictures, and of its chapters; null where there are none.
  async load(url, chaptersUrl) {
    const asked = `${url} ${chaptersUrl}`;
    [this.asked, this.pictures, this.chapters, this.root.hidden] = [asked, [], [], true];
    this.hidePeek();
    const here = url && new URL(url, window.location.href).href;
    const [index, chapters] = await Promise.all([here, chaptersUrl].map((each) => (each ? textAt(each) : "")));
    if (this.asked !== asked) return;
    this.pictures = picturesOf(index, here);
    this.chapters = chaptersOf(chapters);
    this.root.hidden = !this.pictures.length && !this.chapters.length;
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
    this.bar.setAttribute("aria-valuetext", this.said(this.video.currentTime));
    this.mark();
  }

  mark() {
    const drawn = JSON.stringify([this.bar.max, this.chapters]);
    if (drawn === this.drawn) return; // asked several times a second
    this.drawn = drawn;
    const lengthS = Number(this.bar.max);
    const shown = this.chapters.filter((each) => each.fromS > 0 && each.fromS < lengthS);
    this.marks.replaceChildren(...shown.map((each) => {
      const mark = document.createElement("span");
      mark.style.left = `${(100 * each.fromS) / lengthS}%`;
      return mark;
    }));
  }

  said(timeS) {
    const chapter = chapterAt(this.chapters, timeS);
    return chapter ? `${duration(timeS)} ${chapter.title}` : duration(timeS);
  }

  timeUnder(event) {
    const share = event.offsetX / Math.max(1, this.bar.clientWidth);
    return Math.min(1, Math.max(0, share)) * Number(this.bar.max);
  }

  show(timeS, atPx) {
    const picture = pictureAt(this.pictures, timeS) ?? BARE;
    if (picture === BARE && !this.chapters.length) return;
    const { style } = this.peek;
    const most = Math.max(0, this.bar.clientWidth - picture.width);
    [style.width, style.height] = [`${picture.width}px`, `${picture.height}px`];
    [style.left, style.top] = [`${Math.min(most, Math.max(0, atPx - picture.width / 2))}px`, `${-picture.height - 8}px`];
    style.backgroundImage = picture.url && `url("${picture.url}")`;
    style.backgroundPosition = `${-picture.x}px ${-picture.y}px`;
    this.peek.textContent = this.said(timeS);
    this.peek.hidden = false;
  }

  hidePeek() {
    this.peek.hidden = true;
  }
}
