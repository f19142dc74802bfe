// The page: sign in, share, watch. Everything is read from the public API; titles and descriptions are other people's
// words and reach the page as text only.
import { comeBack, onPersonChange, signOut, whoIsHere } from "./access.js";
import { Captioning } from "./captioning.js";
import { Captions } from "./captions.js";
import { markChosen, showCatalogue } from "./catalogue.js";
import * as demo from "./demo.js";
import { lookForDevchain, mintFor } from "./devchain.js";
import { catchFiles } from "./dropping.js";
import { Making } from "./making.js";
import { Owning } from "./owning.js";
import { Postering } from "./postering.js";
import { Seeking } from "./seeking.js";
import { Sharing } from "./sharing.js";
import { Sounds } from "./sounds.js";
import { lookForWallets, offerWallets } from "./wallets.js";
import { Watching } from "./watching.js";
import { drawn } from "./tree.js";
import { sentence, shortAddress } from "./words.js";

const element = (id) => document.getElementById(id);

let watching = null;
let shown = ""; // the notice, as JSON
const sharing = new Sharing(watchIfIdle, () => showCatalogue());
const seeking = new Seeking(element("seeking"), element("video"));
const sounds = new Sounds(element("sounds"));
const captions = new Captions(element("captions"), element("video"));
const owning = new Owning(leaveDeleted, () => showChosen());
const captioning = new Captioning(() => showChosen());
const postering = new Postering(() => showCatalogue());
const making = new Making((contentId) => sharing.prepares(contentId));

// --- the player ------------------------------------------------------------------------------------

const ACTIONS = {
  "sign-in": { words: "Sign in with a wallet", act: offerWallets },
  "watch-again": { words: "Watch again", act: () => watching?.again() },
  mint: { words: "Get a demo token (development only)", act: getDemoToken },
};

const tell = {
  about(content) {
    element("player-title").textContent = content.title;
    element("player-about").textContent = content.description;
    document.title = `${content.title} · StreamGate`;
    owning.show(content);
    captioning.show(content);
    postering.show(content);
    making.show(content);
  },
  opened(content, session) {
    seeking.load(session.storyboard_url, session.chapters_url);
    captions.offer(session.captions);
    if (session.preview_s) demo.hide(); // what does not open does not close either
    else demo.offerToGive(content, session);
  },
  notice(notice) {
    const asked = JSON.stringify(notice);
    if (asked === shown) return; // said once, also to who listens, however often it is asked again
    shown = asked;
    const leaves = notice ? ["demo", "video"] : ["notice"]; // what has the focus and goes away hands it on
    const hadFocus = leaves.some((id) => element(id).contains(document.activeElement));
    if (notice) demo.hide();
    element("notice").hidden = !notice;
    element("stage").classList.toggle("closed", Boolean(notice));
    element("notice").classList.toggle("locked", Boolean(notice?.isLock));
    for (const name of ["title", "words", "hint"]) element(`notice-${name}`).textContent = notice?.[name] ?? "";
    element("notice-tree").replaceChildren(...(notice?.tree ? [drawn(notice.tree)] : []));
    const action = ACTIONS[notice?.action];
    element("notice-action").hidden = !action;
    element("notice-action").textContent = action?.words ?? "";
    element("notice-action").onclick = action?.act ?? null;
    if (hadFocus) focusOn(notice, Boolean(action));
  },
  plays(hls) {
    sounds.of(hls);
  },
  remark(text) {
    element("remark").textContent = text;
    element("remark").hidden = !text;
  },
};

function focusOn(notice, hasAction) {
  const next = notice ? (hasAction ? "notice-action" : "notice-title") : "video";
  element(next).focus();
}

function showChosen() {
  const chosen = new URLSearchParams(window.location.search).get("v");
  watching?.close();
  watching = null;
  seeking.load(null, null);
  captions.offer([]);
  owning.show(null);
  making.show(null);
  demo.hide();
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

function go(href) {
  window.history.pushState(null, "", href);
  showChosen();
  window.scrollTo({ top: 0 });
}

function choose(event) {
  const link = event.target.closest("a");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain) return;
  event.preventDefault();
  go(link.href);
}

// What somebody has just shared plays for them at once, unless they watch something else meanwhile.
function watchIfIdle(contentId) {
  if (!watching) go(`/?v=${encodeURIComponent(contentId)}`);
}

function leaveDeleted() {
  go("/");
  showCatalogue();
}

async function getDemoToken() {
  const button = element("notice-action");
  button.disabled = true;
  try {
    await mintFor(whoIsHere().address);
    watching?.start();
  } catch (refusal) {
    say(sentence(refusal.message));
  }
  button.disabled = false;
}

// --- who is here -----------------------------------------------------------------------------------

function showPerson(person) {
  element("sign-in").hidden = Boolean(person);
  element("sign-out").hidden = !person;
  element("account-name").hidden = !person;
  element("account-name").textContent = person ? shortAddress(person.address) : "";
  element("account-name").title = person?.address ?? "";
  sharing.showFor(person);
}

async function leave() {
  if (await signOut()) return;
  say("You are signed out on this page, but the server could not be told. Sign in and out again when it answers.");
}

function take(file) {
  say("");
  sharing.take(file);
}

function sayWhereToDrop() {
  const isShown = element("drop").offsetParent !== null;
  if (!whoIsHere()) say("Sign in first, and then drop the video to share it.");
  else say(isShown ? "To share a video, drop it below “Share a video”." : "Nothing can be dropped here now.");
}

function say(text) {
  element("message").textContent = text;
  element("message").hidden = !text;
}

// --- start -----------------------------------------------------------------------------------------

async function start() {
  catchFiles(element("drop"), take, sayWhereToDrop);
  element("catalogue").addEventListener("click", choose);
  element("sending-watch").addEventListener("click", choose);
  element("more").addEventListener("click", () => showCatalogue({ afresh: false }));
  element("sign-in").addEventListener("click", offerWallets);
  element("sign-out").addEventListener("click", leave);
  window.addEventListener("popstate", showChosen);
  lookForWallets();
  demo.listen();
  await Promise.all([comeBack(), lookForDevchain(document.body.dataset.profile === "dev")]);
  showPerson(whoIsHere());
  onPersonChange((person) => {
    say("");
    showPerson(person);
    showCatalogue();
    showChosen();
  });
  showChosen();
  showCatalogue();
}

start();
