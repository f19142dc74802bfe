// Plays `url` with Shaka Player in a video element of its own; `window.probe` remembers what happens.
async ({ url }) => {
  const { shaka } = window;
  shaka.polyfill.installAll();
  const video = document.body.appendChild(document.createElement("video"));
  video.width = 640;
  const seen = { playing: 0, waiting: 0, ended: 0, errors: [] };
  for (const name of ["playing", "waiting", "ended"]) video.addEventListener(name, () => (seen[name] += 1));
  const player = new shaka.Player();
  const note = ({ severity, code, data }) => seen.errors.push({ severity, code, data: String(data) });
  player.addEventListener("error", (event) => note(event.detail));
  const report = () => ({
    ...seen,
    ranges: Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]),
    time_s: video.currentTime,
    duration_s: video.duration,
    height_px: video.videoHeight,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    audio_bytes: video.webkitAudioDecodedByteCount,
    tracks: player.getVariantTracks().map(({ width, height, videoCodec, audioCodec }) => ({ width, height, videoCodec, audioCodec })),
    stalls: player.getStats().stallsDetected,
  });
  window.probe = { player, video, seen, report };
  await player.attach(video);
  try {
    await player.load(url);
  } catch (error) {
    note(error);
  }
}
