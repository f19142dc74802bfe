// Plays `url` with the page's own hls.js in a video element of its own; `window.probe` remembers what happens.
({ url, config }) => {
  const { Hls } = window;
  const video = document.body.appendChild(document.createElement("video"));
  video.width = 640;
  const hls = new Hls(config);
  const seen = { playing: 0, waiting: 0, ended: 0, parsed: 0, errors: [], switched: [], fragments: [] };
  for (const name of ["playing", "waiting", "ended"]) video.addEventListener(name, () => (seen[name] += 1));
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details, response }) => {
    seen.errors.push({ fatal, type, details, status: response?.code ?? 0, at_ms: Date.now() });
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => (seen.parsed += 1));
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => seen.switched.push(level));
  hls.on(Hls.Events.FRAG_LOADED, (_, { frag }) => {
    seen.fragments.push({ type: frag.type, level: frag.level, n: frag.sn, at_ms: Date.now() });
  });
  const ranges = () => Array.from({ length: video.buffered.length }, (_, i) => [video.buffered.start(i), video.buffered.end(i)]);
  const report = () => ({
    ...seen,
    ranges: ranges(),
    time_s: video.currentTime,
    duration_s: video.duration,
    height_px: video.videoHeight,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    audio_bytes: video.webkitAudioDecodedByteCount,
    levels: hls.levels.map(({ width, height, bitrate, codecSet }) => ({ width, height, bitrate, codecSet })),
  });
  const isWhole = () => ranges().length === 1 && video.duration - ranges()[0][1] < 0.1;
  window.probe = { hls, video, seen, report, isWhole };
  hls.loadSource(url);
  hls.attachMedia(video);
}
