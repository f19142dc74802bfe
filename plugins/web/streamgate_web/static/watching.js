// One content on the stage: a session is opened and kept alive, hls.js plays it, and what stops it is said in words.
import { whoIsHere } from "./access.js";
import { Refusal, ask } from "./ask.js";
import { asksForDemo } from "./devchain.js";
import { ENDED, UNSUPPORTED, isOnItsWay, refusalInWords } from "./words.js";

const SESSION_OVER = [401, 403, 404, 410];
const LOOK_AGAIN_S = 3;
const REOPEN_AT_MOST = 2; // in a row, without playing in between

// Unguessable, so that this page, and nobody else, finds its sessions again.
const CLIENT_ID = Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(16).padStart(2, "0")).join("");

export class Watching {
  // `tell` has about(content), opened(content, session) and notice({title, words} or null).
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
    this.isOver = false;
    this.onPlaying = () => {
      this.reopened = 0;
      this.hasPlayed = true;
    };
    this.onVideoError = () => this.reopen();
    video.addEventListener("playing", this.onPlaying);
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

  close() {
    this.isOver = true;
    this.stop();
    this.video.removeEventListener("playing", this.onPlaying);
    this.tell.notice(null);
  }

  // --- inside ---------------------------------------------------------------------------------------

  async open(fromS) {
    const session = await ask("POST", "/api/v1/stream/session", { content_id: this.contentId, client_id: CLIENT_ID });
    if (this.isOver) return;
    this.tell.notice(null);
    this.tell.opened(this.content, session);
    this.session = session;
    this.keepAlive(session, session.renew_after_s);
    this.play(session.hls_url, fromS);
  }

  play(url, fromS) {
    const video = this.video;
    if (window.Hls && window.Hls.isSupported()) {
      this.hls = new window.Hls({ startPosition: fromS });
      this.hls.on(window.Hls.Events.ERROR, (_, data) => this.onHlsError(data));
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
    if (SESSION_OVER.includes(data.response?.code)) this.reopen();
    else if (data.fatal) this.end({ title: "Playback failed", words: `${data.type}: ${data.details}` });
  }

  // The session is over: idle for too long, or the gate has closed. Asking for another one tells which.
  async reopen() {
    this.leftAtS = this.video.currentTime;
    this.stop();
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
      let nextS = LOOK_AGAIN_S;
      try {
        const path = `/api/v1/stream/session/${encodeURIComponent(session.session_id)}/renew`;
        nextS = (await ask("POST", path)).renew_after_s;
      } catch (refusal) {
        if (this.session === session && SESSION_OVER.includes(refusal.status)) {
          this.reopen();
          return;
        }
      }
      if (this.session === session) this.keepAlive(session, nextS);
    };
    this.timer = window.setTimeout(renew, afterS * 1000);
  }

  refuse(refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (this.isOver) return;
    const how = { canMint: asksForDemo(refusal.explanation), hasPlayed: this.hasPlayed };
    this.end(refusalInWords(refusal, this.content, whoIsHere(), how));
    if (refusal.code === "stream.not_playable" && isOnItsWay(this.content)) {
      this.timer = window.setTimeout(() => this.start(), LOOK_AGAIN_S * 1000);
    }
  }

  end(notice) {
    this.stop();
    this.tell.notice(notice);
  }

  stop() {
    window.clearTimeout(this.timer);
    this.session = null;
    this.hls?.destroy();
    this.hls = null;
    this.video.removeEventListener("error", this.onVideoError);
    this.video.removeAttribute("src");
    this.video.load();
  }
}
