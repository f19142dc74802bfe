// What the dev profile shows beside a video for holders of its demo token: that the token can leave the wallet, and what
// happens then. The wallet's own signature is not asked for: the local chain moves what it has made itself.
import { whoIsHere } from "./access.js";
import { Refusal, ask } from "./ask.js";
import { asksForDemo, devchain, giveAway } from "./devchain.js";
import { sentence, shortAddress } from "./words.js";

const element = (id) => document.getElementById(id);

let looked = 0; // only the newest question's answer is shown
let isGiving = false;
let leaseS = 0; // how long the server serves on one reading of the chain

export function listen() {
  element("demo-give").addEventListener("click", give);
}

// A session of `content` has begun.
export async function offerToGive(content, session) {
  const mine = ++looked;
  const person = whoIsHere();
  leaseS = Math.ceil(session.renew_after_s * 2);
  if (!devchain() || !person) return hide();
  const path = `/api/v1/content/${encodeURIComponent(content.content_id)}/gate/check`;
  const checked = await ask("POST", path, {}).catch(() => null);
  if (mine !== looked) return;
  if (!asksForDemo(checked?.explanation)) hide();
  else if (content.owner === person.userId) show(OWNED, false);
  else show(`Your wallet holds a token of ${devchain().contract_name}. Give it away, and see playback end.`, true);
}

export function hide() {
  looked += 1;
  element("demo").hidden = true;
}

const OWNED =
  "This video is yours, so it opens for you whatever your wallet holds. To stand before its lock, sign out, and sign in " +
  "with the visitor’s wallet.";

async function give() {
  if (isGiving) return; // not disabled meanwhile: it would lose the focus
  isGiving = true;
  try {
    const { to } = await giveAway();
    say(`Your token is somebody else’s now (${shortAddress(to)}). The server reads the chain again while you watch: within ${leaseS} s playback ends.`, false);
    if (!element("demo").hidden) element("demo-words").focus();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    say(sentence(refusal.message), true);
  } finally {
    isGiving = false;
  }
}

function show(words, canGive) {
  element("demo").hidden = false;
  say(words, canGive);
}

function say(words, canGive) {
  element("demo-words").textContent = words;
  element("demo-give").hidden = !canGive;
}
