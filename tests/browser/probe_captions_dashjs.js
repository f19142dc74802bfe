// Plays `url` with dash.js, with its captions in `language`; `window.probe` says which words are on the picture.
({ url, language }) => {
  const { dashjs } = window;
  const video = document.body.appendChild(document.createElement("video"));
  const seen = { errors: [] };
  const player = dashjs.MediaPlayer().create();
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => seen.errors.push(error?.message ?? String(error)));
  player.updateSettings({ debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE }, streaming: { text: { defaultEnabled: true } } });
  const words = () =>
    Array.from(video.textTracks)
      .filter((track) => track.mode === "showing")
      .flatMap((track) => Array.from(track.activeCues ?? [], (cue) => cue.text));
  const pictureAt = (timeS) =>
    new Promise((resolve) => player.provideThumbnail(timeS, ({ url, width, height }) => resolve({ uri: url, width, height })));
  const report = () => ({
    ...seen,
    words: words(),
    tracks: player.getTracksFor("text").map(({ lang }) => ({ language: lang })),
    images: player.getTracksFor("image").map(({ id }) => id),
  });
  window.probe = { player, video, seen, words, pictureAt, report };
  player.initialize(video, url, false);
  player.setInitialMediaSettingsFor("text", { lang: language });
}
