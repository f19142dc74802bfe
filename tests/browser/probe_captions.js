// Plays `url` with Shaka Player, with its captions in `language`; `window.probe` says which words are on the picture.
async ({ url, language }) => {
  const { shaka } = window;
  shaka.polyfill.installAll();
  const video = document.body.appendChild(document.createElement("video"));
  const seen = { errors: [] };
  const player = new shaka.Player();
  const note = ({ severity, code, data }) => seen.errors.push({ severity, code, data: String(data) });
  player.addEventListener("error", (event) => note(event.detail));
  const words = () =>
    Array.from(video.textTracks)
      .filter((track) => track.mode === "showing")
      .flatMap((track) => Array.from(track.activeCues ?? [], (cue) => cue.text));
  const tracks = () => player.getTextTracks().map(({ language, kind, label }) => ({ language, kind, label }));
  const image = () => player.getImageTracks()[0];
  // Shaka tells of the sheet, and where on it the moment is.
  const pictureAt = (timeS) =>
    player.getThumbnails(image().id, timeS).then(({ uris, width, height, startTime, duration }) => ({ uri: uris[0], width, height, startTime, duration }));
  const images = () => player.getImageTracks().map(({ width, height }) => [width, height]);
  window.probe = { player, video, seen, words, pictureAt, report: () => ({ ...seen, words: words(), tracks: tracks(), images: images(), time_s: video.currentTime }) };
  try {
    await player.attach(video);
    await player.load(url);
    player.selectTextTrack(player.getTextTracks().find((track) => track.language === language));
  } catch (error) {
    note(error);
  }
}
