// The page: a list of what is public, and the player for what is picked (`/#<content id>`).

import { ask } from "./api.js";
import { Player } from "./player.js";
import { about, door } from "./words.js";

const PAGE_SIZE = 24;
const at = (id) => document.getElementById(id);

const player = new Player(at("video"), (problem) => say("watch-said", `Playing has ended: ${problem.message}.`, true));
let cursor = null;

function say(id, text, isBad = false) {
  at(id).textContent = text;
  at(id).classList.toggle("is-bad", isBad);
}

// --- the catalogue ---------------------------------------------------------------------------------

async function showMore() {
  at("more").hidden = true;
  const query = new URLSearchParams({ limit: PAGE_SIZE, ...(cursor ? { cursor } : {}) });
  try {
    const page = await ask("GET", `/api/v1/content?${query}`);
    for (const content of page.items) at("catalogue").append(card(content));
    cursor = page.next_cursor;
    at("more").hidden = !cursor;
    const isEmpty = !at("catalogue").children.length;
    say("catalogue-said", isEmpty ? "Nothing is listed yet. What somebody publishes as listed appears here." : "");
  } catch (problem) {
    say("catalogue-said", `The list cannot be had now: ${problem.message}.`, true);
    at("more").hidden = false;
  }
}

function card(content) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `#${content.content_id}`;
  const title = document.createElement("strong");
  title.textContent = content.title;
  const line = document.createElement("span");
  line.textContent = about(content);
  link.append(title, line);
  item.append(link);
  return item;
}

// --- watching --------------------------------------------------------------------------------------

async function watch(contentId) {
  at("watch").hidden = false;
  at("video").hidden = true;
  at("door").hidden = true;
  at("watch-title").textContent = "";
  at("watch-about").textContent = "";
  say("watch-said", "Opening …");
  player.stop();
  try {
    const content = await ask("GET", `/api/v1/content/${encodeURIComponent(contentId)}`);
    if (contentId !== picked()) return;
    at("watch-title").textContent = content.title;
    at("watch-about").textContent = content.description;
    at("watch-title").focus();
    at("video").hidden = false;
    await player.play(contentId);
    if (contentId !== picked()) return player.stop();
    say("watch-said", "");
  } catch (problem) {
    if (contentId === picked()) refuse(problem);
  }
}

function refuse(problem) {
  at("video").hidden = true;
  const said = {
    "content.not_found": "There is nothing under this address, or it is private.",
    "stream.not_playable": "It is still being prepared. Try again in a little while.",
    "stream.too_many": "Too many players are open. Close one and try again.",
    "gate.unknown": "Whether the door opens cannot be checked right now. Try again in a little while.",
    "gate.refused": "The door does not open for this wallet.",
    "auth.required": "This one has a door: sign in with a wallet that holds what it asks for.",
  };
  say("watch-said", said[problem.code] || `It cannot be played now: ${problem.message}.`, true);
  if (problem.explanation) {
    at("door-rule").replaceChildren(door(problem.explanation));
    at("door").hidden = false;
  }
}

function close() {
  player.stop();
  at("watch").hidden = true;
}

// --- where we are ----------------------------------------------------------------------------------

const picked = () => decodeURIComponent(location.hash.slice(1));

function follow() {
  if (picked()) watch(picked());
  else close();
}

at("more").addEventListener("click", showMore);
at("close").addEventListener("click", () => {
  history.pushState(null, "", location.pathname);
  close();
});
addEventListener("hashchange", follow);
addEventListener("popstate", follow);
addEventListener("pagehide", () => player.stop());
addEventListener("pageshow", (event) => event.persisted && follow());

showMore();
follow();
