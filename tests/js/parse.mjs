// Reads [{kind: "hls" | "dash", text, uri}] from stdin and writes what the independent parsers understood.
import { readFileSync } from "node:fs";
import hls from "hls-parser";
import { parse as parseMpd } from "mpd-parser";

hls.setOptions({ strictMode: true });

const keyOf = ({ method, uri, iv }) => ({ method, uri, iv: iv ? Buffer.from(iv).toString("hex") : null });

const readHls = (text) => {
  const playlist = hls.parse(text);
  if (playlist.isMasterPlaylist) {
    return {
      version: playlist.version,
      independentSegments: playlist.independentSegments,
      ...(playlist.variants.some((variant) => variant.isIFrameOnly) && {
        iframes: playlist.variants
          .filter((variant) => variant.isIFrameOnly)
          .map(({ uri, bandwidth, averageBandwidth, codecs, videoRange }) => ({
            uri,
            bandwidth,
            averageBandwidth,
            codecs,
            range: videoRange ?? null,
          })),
      }),
      variants: playlist.variants.filter((variant) => !variant.isIFrameOnly).map((variant) => ({
        uri: variant.uri,
        bandwidth: variant.bandwidth,
        averageBandwidth: variant.averageBandwidth,
        codecs: variant.codecs,
        resolution: variant.resolution ?? null,
        frameRate: variant.frameRate ?? null,
        range: variant.videoRange ?? null,
        audio: variant.audio.map((sound) => ({
          uri: sound.uri,
          groupId: sound.groupId,
          name: sound.name,
          isDefault: sound.isDefault,
          autoselect: sound.autoselect ?? false,
          language: sound.language ?? null,
          channels: sound.channels ?? null,
        })),
        ...(variant.subtitles.length && {
          subtitles: variant.subtitles.map(({ uri, name, language, isDefault, characteristics }) => ({
            uri,
            name,
            language,
            isDefault,
            characteristics: characteristics ?? null,
          })),
        }),
      })),
    };
  }
  return {
    version: playlist.version,
    targetDuration: playlist.targetDuration,
    playlistType: playlist.playlistType,
    endlist: playlist.endlist,
    mediaSequenceBase: playlist.mediaSequenceBase,
    ...(playlist.isIFrame && { isIFrame: true }),
    segments: playlist.segments.map((segment) => ({
      uri: segment.uri,
      duration: segment.duration,
      map: segment.map?.uri ?? null,
      ...(segment.key && { key: keyOf(segment.key) }),
      ...(segment.byterange && { byterange: segment.byterange }),
    })),
  };
};

const readRendition = (playlist) => ({
  id: playlist.attributes.NAME,
  bandwidth: playlist.attributes.BANDWIDTH ?? null,
  codecs: playlist.attributes.CODECS,
  resolution: playlist.attributes.RESOLUTION ?? null,
  frameRate: playlist.attributes["FRAME-RATE"] ?? null,
  ...(playlist.contentProtection && { protection: Object.keys(playlist.contentProtection) }),
  endList: playlist.endList,
  timelineStarts: playlist.timelineStarts,
  segments: playlist.segments.map((segment) => ({
    uri: segment.resolvedUri,
    map: segment.map.resolvedUri,
    duration: segment.duration,
    presentationTime: segment.presentationTime,
    number: segment.number,
  })),
});

const readDash = (text, uri) => {
  const warnings = [];
  const manifest = parseMpd(text, { manifestUri: uri, eventHandler: (event) => warnings.push(event) });
  const sounds = Object.values(manifest.mediaGroups.AUDIO).flatMap((group) => Object.values(group));
  return {
    warnings,
    duration: manifest.duration,
    endList: manifest.endList,
    video: manifest.playlists.map(readRendition),
    audio: sounds.flatMap((sound) => sound.playlists).map(readRendition),
    subtitles: Object.values(manifest.mediaGroups.SUBTITLES)
      .flatMap((group) => Object.values(group))
      .map(({ language, playlists }) => ({
        language,
        segments: playlists.flatMap((each) => each.segments.map((segment) => segment.resolvedUri)),
      })),
  };
};

const documents = JSON.parse(readFileSync(0, "utf8"));
const answers = documents.map(({ kind, text, uri }) => (kind === "hls" ? readHls(text) : readDash(text, uri)));
process.stdout.write(JSON.stringify(answers));
