// Several languages, or 5.1 beside stereo: what can be heard, below the player, where there is a choice.
const spoken = (tag) => {
  try {
    return tag ? new Intl.DisplayNames([navigator.language, "en"], { type: "language" }).of(tag) : "";
  } catch {
    return tag;
  }
};

// `track`: of hls.js. Names are other people's words; they are shown as text only.
export function nameOf(track) {
  const language = spoken(track.lang);
  const named = track.name && track.name !== track.lang ? track.name : "";
  const words = [...new Set([language, named])].filter(Boolean).join(" – ") || "Audio";
  return Number(track.channels) > 2 ? `${words} (5.1)` : words;
}

// A sound that has no 5.1 stands in both groups.
export const choices = (tracks) => tracks.filter((track, at) => tracks.findIndex((each) => each.url === track.url) === at);

export class Sounds {
  constructor(root) {
    [this.root, this.select, this.hls] = [root, root.querySelector("select"), null];
    this.select.addEventListener("change", () => {
      if (this.hls) this.hls.audioTrack = Number(this.select.value);
    });
  }

  // `hls`: what plays; null where nothing does, or the browser itself, which has a menu of its own.
  of(hls) {
    this.hls = hls;
    this.root.hidden = true;
    if (!hls) return;
    const { AUDIO_TRACKS_UPDATED, AUDIO_TRACK_SWITCHED } = window.Hls.Events;
    hls.on(AUDIO_TRACKS_UPDATED, () => this.hls === hls && this.list());
    hls.on(AUDIO_TRACK_SWITCHED, () => this.hls === hls && this.list());
  }

  list() {
    const { audioTracks, audioTrack } = this.hls;
    const offered = choices(audioTracks);
    const now = audioTracks[audioTrack]?.url;
    this.root.hidden = offered.length < 2;
    const options = offered.map((track) => new Option(nameOf(track), audioTracks.indexOf(track), false, track.url === now));
    this.select.replaceChildren(...options);
  }
}
