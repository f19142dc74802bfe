// Captions below the player: which there are, which are shown, and what somebody chose the last time (the key c).
const KEPT = "streamgate.captions"; // in this browser alone
const OFF = "off";

export const nameOf = (each) => `${each.language}/${each.kind}`.toLowerCase();

// What is shown to begin with: what was chosen before where there is such, else what the film's maker says.
export function chosenOf(captions, kept) {
  if (kept === OFF) return OFF;
  const known = captions.find((each) => nameOf(each) === kept) ?? captions.find((each) => each.default);
  return known ? nameOf(known) : OFF;
}

// hls.js and Safari both make a text track of each; it is told by its language, and by its kind where that helps.
export function trackOf(tracks, wanted) {
  const [language, kind] = wanted.split("/");
  const same = tracks.filter((track) => track.language.toLowerCase() === language);
  return same.find((track) => track.kind === kind) ?? same[0] ?? null;
}

export class Captions {
  constructor(root, video) {
    [this.root, this.select, this.video] = [root, root.querySelector("select"), video];
    [this.captions, this.chosen, this.last] = [[], OFF, OFF];
    this.select.addEventListener("change", () => this.choose(this.select.value));
    video.textTracks.addEventListener("addtrack", () => this.apply());
    document.addEventListener("keydown", (event) => this.hear(event));
  }

  // Those of a session.
  offer(captions) {
    this.captions = captions;
    const options = captions.map((each) => {
      const said = each.kind === "captions" ? `${each.label} (with sounds)` : each.label;
      return new Option(said, nameOf(each));
    });
    this.select.replaceChildren(new Option("Off", OFF), ...options);
    this.root.hidden = !captions.length;
    this.chosen = chosenOf(captions, window.localStorage.getItem(KEPT));
    this.apply();
  }

  // --- inside ---------------------------------------------------------------------------------------

  choose(name) {
    this.chosen = name;
    window.localStorage.setItem(KEPT, name);
    this.apply();
  }

  apply() {
    this.select.value = this.chosen;
    if (this.chosen !== OFF) this.last = this.chosen;
    const tracks = Array.from(this.video.textTracks).filter((track) => ["subtitles", "captions"].includes(track.kind));
    const shown = this.chosen === OFF ? null : trackOf(tracks, this.chosen);
    for (const track of tracks) track.mode = track === shown ? "showing" : "disabled";
  }

  hear(event) {
    const isTyped = event.target.closest?.("input:not([type=range]), textarea, select, dialog");
    if (event.key !== "c" || event.ctrlKey || event.metaKey || event.altKey || isTyped || !this.captions.length) return;
    const names = this.captions.map(nameOf);
    this.choose(this.chosen !== OFF ? OFF : names.includes(this.last) ? this.last : names[0]);
  }
}
