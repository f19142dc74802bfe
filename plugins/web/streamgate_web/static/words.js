// Durations, states and doors in words. Everything becomes text nodes: titles and rules are other people's.

export function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, at) => (at ? String(part).padStart(2, "0") : part)).join(":");
}

export function about(content) {
  if (content.state === "failed") return "could not be made playable";
  if (!content.playable) return "being prepared";
  return `${content.kind === "audio" ? "audio, " : ""}${duration(content.duration_s)}`;
}

const HEADINGS = { any: "Any one of these:", all: "All of these:", not: "Not this:" };

/** An explanation of the gate as nested lists: what is needed, and what was found. */
export function door(node) {
  const found = document.createElement("div");
  if (node.parts && node.parts.length) {
    found.append(HEADINGS[node.kind] || node.text);
    const list = document.createElement("ul");
    for (const part of node.parts) {
      const item = document.createElement("li");
      item.append(door(part));
      list.append(item);
    }
    found.append(list);
  } else {
    found.append(node.text + outcome(node));
  }
  return found;
}

function outcome(node) {
  if (node.outcome === "holds") return ": held";
  if (node.outcome === "unknown") return `: cannot be checked now${node.reason ? ` (${node.reason})` : ""}`;
  if (node.held && node.needed) return `: ${node.held} of ${node.needed} held`;
  return "";
}
