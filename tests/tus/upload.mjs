// Uploads a file as a browser would: begins, breaks off after some bytes, resumes from what it remembers.
// Reads {endpoint, headers, file, title, chunk_bytes, abort_after_bytes, with_creation, parallel, override, deferred}
// from stdin, writes {url, offsets, resumed_at, methods: [of the first try, of the second]}.
import { createReadStream, readFileSync, statSync } from "node:fs";
import * as tus from "tus-js-client";

const wanted = JSON.parse(readFileSync(0, "utf-8"));
const size = statSync(wanted.file).size;
const offsets = [];
const methods = [[], []];
let resumedAt = null;

const remembered = new Map();
const urlStorage = {
  findAllUploads: async () => [...remembered.values()],
  findUploadsByFingerprint: async () => [...remembered.values()],
  removeUpload: async (key) => remembered.delete(key),
  addUpload: async (fingerprint, upload) => {
    remembered.set(fingerprint, { ...upload, urlStorageKey: fingerprint });
    return fingerprint;
  },
};

// Of a stream that ends early the client announces a whole last chunk, and several parts it cuts from a buffer only.
const source = () => (wanted.parallel || wanted.deferred ? readFileSync(wanted.file) : createReadStream(wanted.file));

const options = (attempt, more) => ({
  endpoint: wanted.endpoint,
  headers: wanted.headers,
  metadata: { filename: "clip.mp4", filetype: "video/mp4", title: wanted.title },
  chunkSize: wanted.chunk_bytes || Infinity,
  uploadLengthDeferred: wanted.deferred ?? false,
  uploadDataDuringCreation: wanted.with_creation ?? false,
  parallelUploads: wanted.parallel ?? 1,
  overridePatchMethod: wanted.override ?? false,
  addRequestId: true,
  urlStorage,
  fingerprint: async () => "the film",
  retryDelays: [0, 100, 300],
  onBeforeRequest: (request) => {
    const stands_for = request.getHeader("X-HTTP-Method-Override");
    methods[attempt].push(stands_for ? `${request.getMethod()} for ${stands_for}` : request.getMethod());
    if (attempt === 1 && request.getHeader("Upload-Offset") !== undefined && resumedAt === null) {
      resumedAt = Number(request.getHeader("Upload-Offset"));
    }
  },
  ...more,
});

const first = await new Promise((resolve, reject) => {
  let isEnded = false;
  const upload = new tus.Upload(
    source(),
    options(0, {
      onError: reject,
      onSuccess: () => resolve(upload),
      onChunkComplete: async (_, accepted) => {
        offsets.push(accepted);
        if (wanted.abort_after_bytes && accepted >= wanted.abort_after_bytes && accepted < size && !isEnded) {
          isEnded = true;
          await upload.abort();
          resolve(upload);
        }
      },
    }),
  );
  upload.start();
});

let last = first;
if (wanted.abort_after_bytes) {
  last = await new Promise((resolve, reject) => {
    const again = new tus.Upload(source(), options(1, { onError: reject, onSuccess: () => resolve(again) }));
    again.findPreviousUploads().then(([previous]) => {
      again.resumeFromPreviousUpload(previous);
      again.start();
    }, reject);
  });
}
console.log(JSON.stringify({ url: last.url, offsets, resumed_at: resumedAt, methods }));
process.exit(0);
