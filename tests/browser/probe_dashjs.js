// Plays `url` with dash.js in a video element of its own; `window.probe` remembers what happens.
async ({ url }) => {
  const { dashjs } = window;
  const video = document.body.appendChild(document.createElement("video"));
  video.width = 640;
  const seen = { playing: 0, waiting: 0, ended: 0, errors: [] };
  for (const name of ["playing", "waiting", "ended"]) video.addEventListener(name, () => (seen[name] += 1));
  const player = dashjs.MediaPlayer().create();
  const note = ({ error }) => seen.errors.push({ code: error?.code, message: error?.message ?? String(error) });
  player.on(dashjs.MediaPlayer.events.ERROR, note);
  player.updateSettings({ debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE } });
  const report = () => ({
    ...seen,
    ranges: Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]),
    time_s: video.currentTime,
    duration_s: video.duration,
    height_px: video.videoHeight,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    audio_bytes: video.webkitAudioDecodedByteCount,
  });
  window.probe = { player, video, seen, report };
  player.initialize(video, url, false);
}
