// What is on this server: everybody's list, and one's own videos among it.
import { whoIsHere } from "./access.js";
import { Refusal, ask } from "./ask.js";
import { stateInWords } from "./words.js";

const element = (id) => document.getElementById(id);
const RESTS_MS = 200; // who only passes loads nothing
const EMPTY = "Nothing is listed here yet: a video shows up once its owner gives it a gate and lists it.";

let nextCursor = "";
let asked = 0; // only the newest question's answer is shown

export async function showCatalogue({ afresh = true } = {}) {
  const mine = ++asked;
  const state = element("catalogue-state");
  element("more").disabled = true; // a second click would ask for the same again
  try {
    const page = await ask("GET", `/api/v1/content?limit=24&cursor=${encodeURIComponent(afresh ? "" : nextCursor)}`);
    if (mine !== asked) return;
    const cards = page.items.map(card);
    if (afresh) element("catalogue").replaceChildren(...cards);
    else element("catalogue").append(...cards);
    nextCursor = page.next_cursor || "";
    element("more").hidden = !nextCursor;
    const isEmpty = !element("catalogue").childElementCount;
    state.textContent = isEmpty ? EMPTY : "";
    state.hidden = !isEmpty;
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    state.textContent = `The list cannot be shown: ${refusal.message}.`;
    state.hidden = false;
  }
  element("more").disabled = false;
  markChosen();
}

export function markChosen() {
  for (const link of element("catalogue").querySelectorAll("a")) {
    if (link.search === window.location.search) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function card(content) {
  const link = document.createElement("a");
  link.href = `/?v=${encodeURIComponent(content.content_id)}`;
  if (content.poster_url && content.published_at) link.append(poster(content, link));
  link.append(part("strong", content.title), part("span", content.description, "about"));
  const foot = part("span", "", "foot");
  const state = part("span", stateInWords(content), "state");
  state.classList.toggle("playable", content.playable);
  foot.append(state);
  if (whoIsHere()?.userId === content.owner) foot.append(part("span", "yours", "tag"));
  link.append(foot);
  const item = document.createElement("li");
  item.append(link);
  return item;
}

// Of what is published: an image cannot say who asks.
function poster(content, link) {
  const image = document.createElement("img");
  [image.className, image.alt, image.loading, image.src] = ["poster", "", "lazy", content.poster_url];
  image.addEventListener("error", () => {
    if (image.getAttribute("src") === content.poster_url) image.remove();
    else image.src = content.poster_url;
  });
  if (content.moving_poster_url) moveWhileLookedAt(image, link, content);
  return image;
}

// While the mouse or the focus rests on a card, unless somebody wants nothing to move by itself.
function moveWhileLookedAt(image, link, { poster_url: still, moving_poster_url: moving }) {
  let timer = 0;
  const show = (url) => {
    if (url && image.getAttribute("src") !== url) image.src = url;
  };
  const begin = () => {
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    clearTimeout(timer);
    timer = setTimeout(() => show(moving), RESTS_MS);
  };
  const end = () => {
    clearTimeout(timer);
    if (!link.matches(":hover, :focus-visible")) show(still);
  };
  link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && begin());
  link.addEventListener("pointerleave", end);
  link.addEventListener("focus", () => link.matches(":focus-visible") && begin());
  link.addEventListener("blur", end);
}

function part(tag, text, kind = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  made.dir = "auto";
  return made;
}
