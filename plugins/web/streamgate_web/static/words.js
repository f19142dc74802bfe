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

export function refusalInWords(refusal, content) {
  const explained = refusal.explanation;
  switch (refusal.code) {
    case "auth.required":
      return {
        title: "For token holders",
        words: needed(explained),
        hint: "This page plays what is public; apps sign people in through the API.",
      };
    case "gate.refused":
      return { title: "The gate does not open", words: needed(explained) };
    case "gate.unknown":
      return { title: "The gate cannot be read now", words: "The chain does not answer. Try again in a moment." };
    case "stream.not_playable":
      return notPlayable(content);
    case "content.not_found":
      return { title: "No such video", words: "It does not exist, or is private." };
    default:
      return { title: "This cannot be played now", words: sentence(refusal.message) };
  }
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

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
