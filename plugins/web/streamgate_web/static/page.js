// The page: what is on this server, and a player for what is public. Everything is read from the public API.
"use strict";

const SESSION_ENDED = new Set([401, 403, 404, 410]);
const element = (id) => document.getElementById(id);

async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = response.status === 204 ? {} : await response.json();
  if (!response.ok) {
    const fault = new Error(answer.detail || answer.title || `error ${response.status}`);
    fault.status = response.status;
    fault.code = answer.code || "";
    fault.explanation = answer.explanation;
    throw fault;
  }
  return answer;
}

// --- the catalogue ---------------------------------------------------------------------------------

let nextCursor = "";

async function showCatalogue() {
  const state = element("catalogue-state");
  try {
    const page = await ask("GET", `/api/v1/content?limit=24&cursor=${encodeURIComponent(nextCursor)}`);
    for (const content of page.items) element("catalogue").append(card(content));
    nextCursor = page.next_cursor || "";
    element("more").hidden = nextCursor === "";
    const isEmpty = element("catalogue").childElementCount === 0;
    state.textContent = isEmpty ? "Nothing is listed here yet. Contents with a gate can be listed by their owner." : "";
  } catch (fault) {
    state.textContent = `The list cannot be shown: ${fault.message}`;
  }
}

function card(content) {
  const link = document.createElement("a");
  link.href = `/?v=${encodeURIComponent(content.content_id)}`;
  const title = document.createElement("strong");
  title.textContent = content.title;
  const about = document.createElement("span");
  about.textContent = content.playable ? duration(content.duration_s) : content.state;
  link.append(title, about);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// --- the player ------------------------------------------------------------------------------------

let renewal = 0;

async function watch(contentId) {
  element("player").hidden = false;
  try {
    const content = await ask("GET", `/api/v1/content/${encodeURIComponent(contentId)}`);
    element("player-title").textContent = content.title;
    element("player-about").textContent = content.description;
    document.title = `${content.title} · StreamGate`;
    const session = await ask("POST", "/api/v1/stream/session", { content_id: contentId });
    play(session);
    keepAlive(session);
  } catch (fault) {
    lock(inWords(fault));
  }
}

function play(session) {
  const video = element("video");
  if (window.Hls && Hls.isSupported()) {
    const player = new Hls();
    player.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      player.destroy();
      const status = data.response ? data.response.code : 0;
      lock(SESSION_ENDED.has(status) ? "Playback has ended: access is no longer given." : `Playback failed: ${data.details}`);
    });
    player.loadSource(session.hls_url);
    player.attachMedia(video);
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    video.src = session.hls_url;
  } else {
    lock("This browser cannot play HLS.");
  }
}

function keepAlive(session) {
  window.clearTimeout(renewal);
  const again = async () => {
    try {
      keepAlive(await ask("POST", `/api/v1/stream/session/${encodeURIComponent(session.session_id)}/renew`));
    } catch (fault) {
      if (SESSION_ENDED.has(fault.status)) {
        element("video").pause();
        lock(inWords(fault));
      } else {
        renewal = window.setTimeout(again, 5000);
      }
    }
  };
  renewal = window.setTimeout(again, session.renew_after_s * 1000);
}

function lock(words) {
  element("lock").textContent = words;
  element("lock").hidden = false;
}

function inWords(fault) {
  if (fault.code === "auth.required") return "This one is for holders of a token: sign in with a wallet to watch it.";
  if (fault.code === "gate.refused" && fault.explanation) return `To watch this: ${fault.explanation.text}.`;
  if (fault.code === "stream.not_playable") return "This one is being prepared. Come back in a moment.";
  return fault.message;
}

// --- start -----------------------------------------------------------------------------------------

element("more").addEventListener("click", showCatalogue);
const chosen = new URLSearchParams(window.location.search).get("v");
if (chosen) watch(chosen);
showCatalogue();
