// Why something does not play, or plays on although: a notice, {title, words, hint?, tree?, action?}, takes the video's
// place; a remark is a sentence below it.
import { bare, treeOf } from "./tree.js";
import { STATES, isOnItsWay, moment, sentence, shortAddress, withMoments } from "./words.js";

// Explanations whose text stands by itself; any other is of the rule, and says what is true of a wallet.
const SAID_WHOLE = ["sign_in", "private", "content", "gate", "veto"];
const SAID_OF_A_WALLET = /^(holds|is|has|passes) /;

export const ENDED = { title: "Playback has ended", words: "Access to this video is no longer given." };
export const UNSUPPORTED = { title: "This browser cannot play it", words: "It has neither Media Source Extensions nor HLS." };
export const UNREADABLE =
  "The gate cannot be read now: the chain does not answer. What has been loaded still plays; the rest comes once it answers.";

const UNREAD = "cannot be read now"; // all that viewers are told of faults
const LOOK_AGAIN_S = 3;
const LOOK_AGAIN_AT_CHAIN_S = 10;
const WAIT_AT_MOST_S = 12 * 3600; // for what is said to open at a certain time

const WHO = { owner: "The person who shared this video has", server: "This server's operators have" };
const ENDED_BY = { ended_by_owner: WHO.owner, ended_by_server: WHO.server };

const ONCE_IT_OPENS = "Once it opens again, the video goes on from where it stopped.";

// `hasPlayed`: it was open a moment ago.
export function refusalInWords(refusal, content, person, { canMint, hasPlayed }) {
  const explained = refusal.explanation;
  switch (refusal.code) {
    case "auth.required":
      return { title: "For token holders", words: needed(explained), isLock: true, action: "sign-in" };
    case "gate.refused":
      return { ...closed(explained, person, hasPlayed), ...opening(explained, canMint) };
    case "gate.unknown":
      return {
        title: "The gate cannot be read now",
        words: "The chain does not answer. It is asked again every few seconds.",
        hint: hasPlayed ? "As soon as it answers, the video goes on from where it stopped." : "",
        isLock: true,
      };
    case "stream.revoked":
      return takenBack(refusal);
    case "stream.not_playable":
      return notPlayable(content);
    case "content.not_found":
      return { title: "No such video", words: "It does not exist, or is private." };
    default:
      return { title: "This cannot be played now", words: sentence(refusal.message) };
  }
}

// After how long it is worth asking again by itself; 0 where somebody has to do something first.
export function askAgainAfterS(refusal, content) {
  if (refusal.code === "stream.not_playable") return isOnItsWay(content) ? LOOK_AGAIN_S : 0;
  if (refusal.code === "gate.unknown") return LOOK_AGAIN_AT_CHAIN_S;
  if (refusal.code !== "stream.revoked") return 0;
  const leftS = Math.max(1, (Date.parse(refusal.until) - Date.now()) / 1000);
  return leftS <= WAIT_AT_MOST_S ? leftS : 0;
}

// Of a session that somebody has ended and that may be opened again: not by itself, or nobody would notice. null: it is
// over for another reason, which asking for another one tells.
export function endedBySomebody(refusal) {
  const who = ENDED_BY[refusal?.reason];
  if (!who) return null;
  return {
    title: "Playback has ended",
    words: `${who} ended it.`,
    hint: "It can be watched again, and goes on from where it stopped.",
    action: "watch-again",
  };
}

// The end of what is free. `explained`: what the gate says of whoever is signed in; null where that is nobody.
export function previewOver(lengthS, explained, person, { canMint, wasOpen }) {
  const free = `Its first ${seconds(lengthS)} are free.`;
  if (!person) {
    return {
      title: "The free beginning ends here",
      words: `${free} Sign in with a wallet to see what opens the rest.`,
      isLock: true,
      action: "sign-in",
    };
  }
  const whose = `the wallet ${shortAddress(person.address)}`;
  const said = wasOpen ? `The gate no longer opens for ${whose}. ${free}` : free;
  return {
    title: wasOpen ? "Playback has ended" : "The free beginning ends here",
    words: `${said}\n${needed(explained)}`,
    hint: wasOpen ? ONCE_IT_OPENS : `For ${whose}. Once it opens, the video goes on from here.`,
    ...opening(explained, canMint),
  };
}

// What is said while it plays, of an answer of the session; empty where there is nothing to say.
export function remarkOn({ grace, preview_s: previewS }) {
  if (grace) {
    const until = moment(grace.until);
    const why = grace.reason === UNREAD ? "The chain cannot be read now" : `The gate cannot be decided now (${grace.reason})`;
    return `${why}. Playback goes on until ${until}, and no longer unless that changes.`;
  }
  return previewS ? `The first ${seconds(previewS)} are free to watch.` : "";
}

function closed(explained, person, hasPlayed) {
  const wallet = person ? `the wallet ${shortAddress(person.address)}` : "you";
  if (hasPlayed) {
    return {
      title: "Playback has ended",
      words: `The gate no longer opens for ${wallet}.\n${needed(explained)}`,
      hint: ONCE_IT_OPENS,
    };
  }
  const hint = person ? `For ${wallet}. It is asked again when you come back.` : "";
  return { title: "The gate does not open", words: needed(explained), hint };
}

function opening(explained, canMint) {
  return { tree: pictured(explained), isLock: true, action: canMint ? "mint" : "" };
}

// Of a rule of one requirement the words say what; the picture adds how much of it there is.
function pictured(explained) {
  if (!explained) return null;
  const tree = treeOf(explained);
  if (tree.parts.length) return tree;
  return !SAID_WHOLE.includes(explained.kind) && (tree.facts.length || tree.link) ? { ...tree, label: "" } : null;
}

function takenBack({ until, reason, by }) {
  const said = reason ? `\nThey say: “${reason}”` : "";
  return {
    title: "Playback was taken back",
    words: `${WHO[by]} taken it back.${said}`,
    hint: until ? `It can be watched again from ${moment(until)}.` : "",
    isLock: true,
  };
}

function notPlayable(content) {
  if (!isOnItsWay(content)) {
    return { title: STATES.failed, words: sentence(content.failure_detail || "nothing in the upload can be watched") };
  }
  return { title: STATES[content.state], words: "It begins here by itself as soon as it can be watched." };
}

function needed(explained) {
  if (!explained) return "";
  if (SAID_WHOLE.includes(explained.kind)) return sentence(withMoments(explained.text));
  const rule = bare(explained);
  if (rule.parts?.length) return "This is what the gate asks, and how it stands:";
  const text = withMoments(rule.text);
  return SAID_OF_A_WALLET.test(text) ? `Needed: a wallet that ${text}.` : `Needed: a wallet of which this is true: ${text}.`;
}

function seconds(lengthS) {
  const whole = Math.round(lengthS);
  if (whole >= 120 && whole % 60 === 0) return `${whole / 60} minutes`;
  return whole === 1 ? "second" : `${whole} seconds`;
}
