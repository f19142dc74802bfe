// One content on the stage: a session is opened and kept alive, hls.js plays it, and what stops it is said in words.
import { whoIsHere } from "./access.js";
import { Refusal, ask } from "./ask.js";
import { asksForDemo } from "./devchain.js";
import { ENDED, UNREADABLE, UNSUPPORTED, askAgainAfterS, endedBySomebody } from "./notices.js";
import { previewOver, refusalInWords, remarkOn } from "./notices.js";

const SESSION_OVER = [401, 403, 404, 410];
const UNKNOWN_NOW = 503; // until the chain answers; asking for a session tells whether it does
const RENEW_AGAIN_S = 3;
const REOPEN_AT_MOST = 2; // in a row, without playing in between

// Unguessable, so that this page, and nobody else, finds its sessions again.
const CLIENT_ID = Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");

const renewal = (session) => `/api/v1/stream/session/${encodeURIComponent(session.session_id)}/renew`;

export class Watching {
  // `tell` has about(content), opened(content, session), plays(hls or null), notice(a notice or null) and remark(text).
  constructor(contentId, video, tell) {
    this.contentId = contentId;
    this.video = video;
    this.tell = tell;
    this.content = null;
    this.session = null;
    this.hls = null;
    this.timer = 0;
    this.reopened = 0;
    this.leftAtS = 0; // where it goes on once the gate opens again
    this.hasPlayed = false;
    this.wasWhole = false; // what was open last: all of it, or its free beginning
    this.freeS = Infinity; // where that has ended
    this.isOver = false;
    this.onPlaying = () => {
      this.reopened = 0;
      this.hasPlayed = true;
    };
    this.onVideoError = () => this.reopen();
    this.onEnded = () => {
      if (!this.session?.preview_s) return;
      this.leftAtS = this.freeS = video.currentTime;
      this.endPreview(this.session);
    };
    video.addEventListener("playing", this.onPlaying);
    video.addEventListener("ended", this.onEnded);
  }

  async start() {
    try {
      const content = await ask("GET", `/api/v1/content/${encodeURIComponent(this.contentId)}`);
      if (this.isOver) return;
      this.content = content;
      this.tell.about(content);
      await this.open(this.leftAtS);
    } catch (refusal) {
      this.refuse(refusal);
    }
  }

  // Somebody has ended it, and whoever watches wants it to go on.
  again() {
    this.tell.notice(null);
    this.start();
  }

  close() {
    this.isOver = true;
    this.stop();
    this.video.removeEventListener("playing", this.onPlaying);
    this.video.removeEventListener("ended", this.onEnded);
    this.tell.notice(null);
  }

  // --- inside ---------------------------------------------------------------------------------------

  async open(fromS) {
    const session = await ask("POST", "/api/v1/stream/session", { content_id: this.contentId, client_id: CLIENT_ID });
    if (this.isOver) return;
    if (session.preview_s && fromS >= Math.min(session.preview_s, this.freeS)) {
      await this.endPreview(session);
      return;
    }
    this.wasWhole = !session.preview_s;
    this.tell.notice(null);
    this.tell.opened(this.content, session);
    this.tell.remark(remarkOn(session));
    this.session = session;
    this.video.poster = session.poster_url ?? "";
    this.keepAlive(session, session.renew_after_s);
    this.play(session.hls_url, fromS);
  }

  play(url, fromS) {
    const video = this.video;
    if (window.Hls && window.Hls.isSupported()) {
      this.hls = new window.Hls({ startPosition: fromS });
      this.hls.on(window.Hls.Events.ERROR, (_, data) => this.onHlsError(data));
      this.tell.plays(this.hls);
      this.hls.loadSource(url);
      this.hls.attachMedia(video);
    } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
      video.src = `${url}#t=${fromS}`;
      video.addEventListener("error", this.onVideoError, { once: true });
    } else {
      this.end(UNSUPPORTED);
      return;
    }
    video.play().catch(() => {}); // not every browser lets a page begin by itself: then the controls do it
  }

  // hls.js would go on asking for a segment that is refused: it knows of no sessions.
  onHlsError(data) {
    const status = data.response?.code;
    if (SESSION_OVER.includes(status) || (data.fatal && status === UNKNOWN_NOW)) this.reopen();
    else if (data.fatal) this.end({ title: "Playback failed", words: `${data.type}: ${data.details}` });
  }

  // The session is over: idle for too long, the gate has closed, or somebody has ended it. Asking for another one tells
  // which, but for the last: then nothing goes on by itself. `refusal`: of its renewal, where that was refused.
  async reopen(refusal = null) {
    const session = this.session;
    this.leftAtS = this.video.currentTime || this.leftAtS; // it may not have come to where it was to begin
    this.stop();
    const ended = endedBySomebody(refusal ?? (await ask("POST", renewal(session)).catch((fault) => fault)));
    if (this.isOver) return;
    if (ended) {
      this.end(ended);
      return;
    }
    this.reopened += 1;
    if (this.reopened > REOPEN_AT_MOST) {
      this.end(ENDED);
      return;
    }
    try {
      await this.open(this.leftAtS);
    } catch (refusal) {
      this.refuse(refusal);
    }
  }

  keepAlive(session, afterS) {
    const renew = async () => {
      let nextS = RENEW_AGAIN_S;
      try {
        const renewed = await ask("POST", renewal(session));
        nextS = renewed.renew_after_s;
        if (this.session === session) this.hear(renewed);
      } catch (refusal) {
        if (this.session === session && SESSION_OVER.includes(refusal.status)) {
          this.reopen(refusal);
          return;
        }
        if (this.session === session && refusal.code === "gate.unknown") this.tell.remark(UNREADABLE);
      }
      if (this.session === session) this.keepAlive(session, nextS);
    };
    this.timer = window.setTimeout(renew, afterS * 1000);
  }

  // What a renewal says is open now: the rest of a video, once the gate opens beside its free beginning.
  hear(renewed) {
    const isWhole = Boolean(this.session.preview_s) && !renewed.preview_s;
    this.session.preview_s = renewed.preview_s;
    this.tell.remark(remarkOn(renewed));
    if (!isWhole) return;
    this.wasWhole = true;
    this.tell.opened(this.content, this.session);
    const atS = this.video.currentTime;
    this.unload();
    this.play(this.session.hls_url, atS);
  }

  // What opens the rest is known of whoever is signed in.
  async endPreview(session) {
    this.stop();
    const person = whoIsHere();
    const path = `/api/v1/content/${encodeURIComponent(this.contentId)}/gate/check`;
    const checked = person ? await ask("POST", path, {}).catch(() => null) : null;
    if (this.isOver) return;
    const explained = checked?.explanation ?? null;
    const how = { canMint: asksForDemo(explained), wasOpen: this.wasWhole };
    this.end(previewOver(session.preview_s, explained, person, how));
  }

  refuse(refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (this.isOver) return;
    const how = { canMint: asksForDemo(refusal.explanation), hasPlayed: this.hasPlayed };
    this.end(refusalInWords(refusal, this.content, whoIsHere(), how));
    const waitS = askAgainAfterS(refusal, this.content);
    if (waitS) this.timer = window.setTimeout(() => this.start(), waitS * 1000);
  }

  end(notice) {
    this.stop();
    this.tell.notice(notice);
  }

  stop() {
    window.clearTimeout(this.timer);
    this.session = null;
    this.tell.remark("");
    this.video.removeAttribute("poster");
    this.unload();
  }

  unload() {
    this.tell.plays(null);
    this.hls?.destroy();
    this.hls = null;
    this.video.removeEventListener("error", this.onVideoError);
    this.video.removeAttribute("src");
    this.video.load();
  }
}
