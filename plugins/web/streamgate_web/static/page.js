// The page: what is on this server, and a player for what is public. Everything is read from the public API;
// titles and descriptions are other people's words and reach the page as text only.
import { Refusal, ask } from "./ask.js";
import { stateInWords } from "./words.js";
import { Watching } from "./watching.js";

const element = (id) => document.getElementById(id);

// --- the catalogue ---------------------------------------------------------------------------------

let nextCursor = "";

async function showCatalogue() {
  const state = element("catalogue-state");
  element("more").disabled = true; // a second click would ask for the same again
  try {
    const page = await ask("GET", `/api/v1/content?limit=24&cursor=${encodeURIComponent(nextCursor)}`);
    element("catalogue").append(...page.items.map(card));
    nextCursor = page.next_cursor || "";
    element("more").hidden = !nextCursor;
    const isEmpty = !element("catalogue").childElementCount;
    state.textContent = isEmpty ? "Nothing is listed here yet: a video shows up once its owner gives it a gate and lists it." : "";
    state.hidden = !isEmpty;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    state.textContent = `The list cannot be shown: ${refusal.message}.`;
    state.hidden = false;
  }
  element("more").disabled = false;
  markChosen();
}

function card(content) {
  const link = document.createElement("a");
  link.href = `/?v=${encodeURIComponent(content.content_id)}`;
  link.append(part("strong", content.title), part("span", content.description, "about"));
  const state = part("span", stateInWords(content), "state");
  state.classList.toggle("playable", content.playable);
  link.append(state);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

function part(tag, text, kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  made.dir = "auto";
  return made;
}

function markChosen() {
  for (const link of element("catalogue").querySelectorAll("a")) {
    if (link.search === window.location.search) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// --- the player ------------------------------------------------------------------------------------

let watching = null;

const tell = {
  about(content) {
    element("player-title").textContent = content.title;
    element("player-about").textContent = content.description;
    document.title = `${content.title} · StreamGate`;
  },
  notice(notice) {
    element("notice").hidden = !notice;
    element("stage").classList.toggle("closed", Boolean(notice));
    for (const name of ["title", "words", "hint"]) element(`notice-${name}`).textContent = notice?.[name] ?? "";
  },
};

function showChosen() {
  const chosen = new URLSearchParams(window.location.search).get("v");
  watching?.close();
  watching = null;
  element("player").hidden = !chosen;
  element("intro").hidden = Boolean(chosen);
  document.title = "StreamGate";
  markChosen();
  if (!chosen) return;
  element("player-title").textContent = "";
  element("player-about").textContent = "";
  watching = new Watching(chosen, element("video"), tell);
  watching.start();
}

function choose(event) {
  const link = event.target.closest("a");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain) return;
  event.preventDefault();
  window.history.pushState(null, "", link.href);
  showChosen();
  window.scrollTo({ top: 0 });
}

// --- start -----------------------------------------------------------------------------------------

element("catalogue").addEventListener("click", choose);
element("more").addEventListener("click", showCatalogue);
window.addEventListener("popstate", showChosen);
showChosen();
showCatalogue();
