// Uploads a file as a browser would: begins, breaks off after some bytes, resumes from what it remembers.
// Reads {endpoint, headers, file, title, chunk_bytes, abort_after_bytes, with_creation} from stdin, writes
// {url, offsets, resumed_at}.
import { createReadStream, readFileSync, statSync } from "node:fs";
import * as tus from "tus-js-client";

const wanted = JSON.parse(readFileSync(0, "utf-8"));
const size = statSync(wanted.file).size;
const offsets = [];
let resumedAt = null;

const options = (more) => ({
  endpoint: wanted.endpoint,
  headers: wanted.headers,
  metadata: { filename: "clip.mp4", filetype: "video/mp4", title: wanted.title },
  chunkSize: wanted.chunk_bytes || Infinity,
  uploadSize: size,
  uploadDataDuringCreation: wanted.with_creation ?? false,
  retryDelays: [0, 100, 300],
  ...more,
});

const first = await new Promise((resolve, reject) => {
  const upload = new tus.Upload(
    createReadStream(wanted.file),
    options({
      onError: reject,
      onSuccess: () => resolve(upload),
      onChunkComplete: async (_, accepted) => {
        offsets.push(accepted);
        if (wanted.abort_after_bytes && accepted >= wanted.abort_after_bytes && accepted < size) {
          await upload.abort();
          resolve(upload);
        }
      },
    }),
  );
  upload.start();
});

if (wanted.abort_after_bytes) {
  await new Promise((resolve, reject) => {
    const again = new tus.Upload(
      createReadStream(wanted.file),
      options({
        uploadUrl: first.url,
        onError: reject,
        onSuccess: resolve,
        onBeforeRequest: (request) => {
          if (request.getMethod() === "PATCH" && resumedAt === null) {
            resumedAt = Number(request.getHeader("Upload-Offset"));
          }
        },
      }),
    );
    again.start();
  });
}
console.log(JSON.stringify({ url: first.url, offsets, resumed_at: resumedAt }));
process.exit(0);
