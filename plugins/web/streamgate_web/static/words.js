// What people read: lengths, states, and why something does not play. A notice is {title, words, hint?}.

const STATES = {
  draft: "Nothing uploaded yet",
  uploading: "Being uploaded",
  processing: "Being prepared",
  failed: "Cannot be played",
};

// Explanations whose text stands by itself; any other is of the rule, and says what a wallet does.
const SAID_WHOLE = ["sign_in", "private", "content", "gate", "veto"];

export const ENDED = { title: "Playback has ended", words: "Access to this video is no longer given." };
export const UNSUPPORTED = { title: "This browser cannot play it", words: "It has neither Media Source Extensions nor HLS." };

export function stateInWords(content) {
  return content.playable ? duration(content.duration_s) : STATES[content.state] || content.state;
}

export function isOnItsWay(content) {
  return ["draft", "uploading", "processing"].includes(content.state);
}

// `hasPlayed`: it was open a moment ago.
export function refusalInWords(refusal, content, person, { canMint, hasPlayed }) {
  const explained = refusal.explanation;
  switch (refusal.code) {
    case "auth.required":
      return { title: "For token holders", words: needed(explained), isLock: true, action: "sign-in" };
    case "gate.refused":
      return {
        ...closed(explained, person, hasPlayed),
        parts: requirements(explained),
        isLock: true,
        action: canMint ? "mint" : "",
      };
    case "gate.unknown":
      return { title: "The gate cannot be read now", words: "The chain does not answer. Try again in a moment.", isLock: true };
    case "stream.not_playable":
      return notPlayable(content);
    case "content.not_found":
      return { title: "No such video", words: "It does not exist, or is private." };
    default:
      return { title: "This cannot be played now", words: sentence(refusal.message) };
  }
}

function closed(explained, person, hasPlayed) {
  const wallet = person ? `the wallet ${shortAddress(person.address)}` : "you";
  if (hasPlayed) {
    return {
      title: "Playback has ended",
      words: `The gate no longer opens for ${wallet}.\n${needed(explained)}`,
      hint: "Once it opens again, the video goes on from where it stopped.",
    };
  }
  const hint = person ? `For ${wallet}. It is asked again when you come back.` : "";
  return { title: "The gate does not open", words: needed(explained), hint };
}

// Of a rule of several parts, each with how it is.
function requirements(explained) {
  const parts = explained?.parts ?? [];
  return parts.map((part) => ({ text: part.text, holds: part.outcome === "holds" }));
}

function notPlayable(content) {
  if (!isOnItsWay(content)) {
    return { title: STATES.failed, words: sentence(content.failure_detail || "nothing in the upload can be watched") };
  }
  return { title: STATES[content.state], words: "It begins here by itself as soon as it can be watched." };
}

function needed(explained) {
  if (!explained) return "";
  return SAID_WHOLE.includes(explained.kind) ? sentence(explained.text) : `Needed: a wallet that ${explained.text}.`;
}

export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// Word joiners keep it on one line.
export function shortAddress(address) {
  return address.length > 14 ? `${address.slice(0, 6)}\u2060…\u2060${address.slice(-4)}` : address;
}

export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let shown = number;
  let unit = 0;
  while (shown >= 1000 && unit < units.length - 1) {
    shown /= 1000;
    unit += 1;
  }
  return `${unit && shown < 100 ? shown.toFixed(1) : Math.round(shown)} ${units[unit]}`;
}

export const speed = (bytesPerS) => `${bytes(bytesPerS)}/s`;

export function timeLeft(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds) || seconds < 1) return "";
  return seconds < 90 ? ` · ${Math.ceil(seconds)} s left` : ` · ${Math.ceil(seconds / 60)} min left`;
}
