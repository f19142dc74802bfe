// What people read: lengths, states, times. Why something does not play is in notices.js.

export const STATES = {
  draft: "Nothing uploaded yet",
  uploading: "Being uploaded",
  processing: "Being prepared",
  failed: "Cannot be played",
};

export function stateInWords(content) {
  return content.playable ? duration(content.duration_s) : STATES[content.state] || content.state;
}

export function isOnItsWay(content) {
  return ["draft", "uploading", "processing"].includes(content.state);
}

export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

export function duration(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

// The time of day, with the date where it is another day's.
export function moment(rfc3339) {
  const at = new Date(rfc3339);
  const isToday = at.toDateString() === new Date().toDateString();
  return at.toLocaleString("en-GB", { ...(isToday ? {} : { dateStyle: "medium" }), timeStyle: "short" });
}

// Words of the server name times as programs do.
export const withMoments = (text) => text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, moment);

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
