// Reads [{init, segments: [path]}] from stdin and writes what mp4box.js finds in each: times in ticks of the track.
import { readFileSync } from "node:fs";
import { createFile } from "mp4box";

const bytesOf = (path, fileStart) => {
  const file = readFileSync(path);
  const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
  buffer.fileStart = fileStart;
  return buffer;
};

const segmentOf = (samples, begins) => ({
  samples: samples.length,
  syncs: samples.filter((sample) => sample.is_sync).length,
  beginsWithSync: samples[0].is_sync,
  decodedFrom: samples[0].dts,
  decodedTo: samples.at(-1).dts + samples.at(-1).duration,
  shownFrom: Math.min(...samples.map((sample) => sample.cts)),
  shownTo: Math.max(...samples.map((sample) => sample.cts + sample.duration)),
  firstEnds: samples[0].offset + samples[0].size - begins,
  description: samples[0].description.type,
});

const readTrack = ({ init, segments }) => {
  const file = createFile();
  const faults = [];
  let info = null;
  file.onError = (module, message) => faults.push(`${module}: ${message}`);
  file.onReady = (found) => {
    info = found;
  };
  let at = 0;
  const append = (path) => {
    const buffer = bytesOf(path, at);
    at += buffer.byteLength;
    file.appendBuffer(buffer);
  };
  append(init);
  const [track] = info.tracks;
  const found = segments.map((path) => {
    const known = file.getTrackSamplesInfo(track.id)?.length ?? 0;
    const begins = at;
    append(path);
    return segmentOf(file.getTrackSamplesInfo(track.id).slice(known), begins);
  });
  file.flush();
  return {
    faults,
    tracks: info.tracks.length,
    codec: track.codec,
    timescale: track.timescale,
    isFragmented: info.isFragmented,
    boxes: [...new Set(file.boxes.map((box) => box.type))],
    segments: found,
  };
};

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(readTrack)));
