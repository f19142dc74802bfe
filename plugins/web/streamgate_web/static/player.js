// Plays one content at a time. The session is renewed while it plays; when it ends, so does the picture.

import { ask } from "./api.js";

const SESSIONS = "/api/v1/stream/session";
const NATIVE = "application/vnd.apple.mpegurl";
const BUFFER_S = 30; // nobody keeps more than this of what they may no longer see
const RETRY_S = 2;

export class Player {
  /** @param {HTMLVideoElement} video @param {(problem: Error) => void} onEnd told once when playing cannot go on */
  constructor(video, onEnd) {
    this.video = video;
    this.onEnd = onEnd;
    this.session = null;
    this.hls = null;
    this.timer = 0;
  }

  /** Opens a session and starts. Throws Problem (401, 403 with the explanation, 404, 409, 503). */
  async play(contentId) {
    this.stop();
    const session = await ask("POST", SESSIONS, { content_id: contentId, client_id: clientId() });
    this.session = session;
    this.attach(session.hls_url);
    this.renewIn(session, session.renew_after_s);
    this.video.play().catch(() => {}); // browsers may want a touch first
  }

  /** Stops at once and gives the session back. */
  stop() {
    const session = this.session;
    this.detach();
    if (session) ask("DELETE", `${SESSIONS}/${session.session_id}`, undefined, { keepalive: true }).catch(() => {});
  }

  attach(url) {
    const Hls = globalThis.Hls;
    if (Hls && Hls.isSupported()) {
      this.hls = new Hls({
        enableWorker: false, // our fragments need no remuxing, and the page allows no blob: scripts
        maxBufferLength: BUFFER_S,
        maxMaxBufferLength: BUFFER_S,
        backBufferLength: BUFFER_S,
      });
      this.hls.on(Hls.Events.ERROR, (_, data) => this.onHlsError(Hls, data));
      this.hls.loadSource(url);
      this.hls.attachMedia(this.video);
    } else if (this.video.canPlayType(NATIVE)) {
      this.video.src = url;
      this.video.onerror = () => this.end(new Error("the stream could not be played"));
    } else {
      this.end(new Error("this browser plays no HLS"));
    }
  }

  detach() {
    clearTimeout(this.timer);
    this.session = null;
    this.hls?.destroy();
    this.hls = null;
    this.video.onerror = null;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }

  onHlsError(Hls, data) {
    if (!data.fatal) return;
    const status = data.response?.code;
    if (status === 410 || status === 403) this.end(new Error("the session has ended"));
    else if (data.type === Hls.ErrorTypes.MEDIA_ERROR && !this.hls.recovered) {
      this.hls.recovered = true; // once: a second time it would not end
      this.hls.recoverMediaError();
    } else this.end(new Error(`the stream broke off (${data.details})`));
  }

  renewIn(session, afterS) {
    this.timer = setTimeout(() => this.renew(session), afterS * 1000);
  }

  async renew(session) {
    let afterS;
    try {
      afterS = (await ask("POST", `${SESSIONS}/${session.session_id}/renew`)).renew_after_s;
    } catch (problem) {
      if (this.session !== session) return;
      // Away or overloaded: the server says itself, by refusing bytes, when it is too late.
      if (problem.status !== 0 && problem.status < 500) return this.end(problem);
      afterS = Math.max(problem.retryAfterS, RETRY_S);
    }
    if (this.session === session) this.renewIn(session, afterS);
  }

  end(problem) {
    if (!this.session) return;
    this.detach();
    this.onEnd(problem);
  }
}

/** Random, kept for this tab: the same tab finds its session again, and nobody else can name it. */
function clientId() {
  const key = "streamgate.client";
  let found = sessionStorage.getItem(key);
  if (!found) {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    found = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    sessionStorage.setItem(key, found);
  }
  return found;
}
