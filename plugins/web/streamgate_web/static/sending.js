// A file on its way: chunks side by side, each tried again when the way breaks, and how far it is.
import { Refusal, ask } from "./ask.js";

const AT_ONCE = 3;
const TRIES = 5;
const PAUSE_MS = 800;

// The finished upload. `tell(sentBytes)` hears of progress. An aborted `signal` takes back what was sent.
export async function send(file, contentId, tell, signal) {
  const details = { filename: file.name, size_bytes: file.size, content_type: file.type, content_id: contentId };
  const upload = await ask("POST", "/api/v1/upload/init", details, { signal });
  try {
    await sendChunks(upload, file, range(upload.chunks), tell, signal);
    return await complete(upload, file, tell, signal);
  } catch (fault) {
    const path = `/api/v1/upload?upload_id=${encodeURIComponent(upload.upload_id)}`;
    await ask("DELETE", path).catch(() => null); // it runs out by itself, too
    throw fault;
  }
}

async function sendChunks(upload, file, indices, tell, signal) {
  const waiting = indices.slice();
  let sent = file.size - waiting.reduce((sum, index) => sum + chunkOf(upload, file, index).size, 0);
  tell(sent);
  const work = async () => {
    while (waiting.length) {
      const index = waiting.shift();
      const chunk = chunkOf(upload, file, index);
      await sendChunk(upload, index, chunk, signal);
      sent += chunk.size;
      tell(sent);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function sendChunk(upload, index, chunk, signal) {
  const path = `/api/v1/upload/chunk?upload_id=${encodeURIComponent(upload.upload_id)}&index=${index}`;
  const isBusy = (fault) => fault.status === 409; // the same chunk is on its way still, from a try before
  return patiently(() => ask("POST", path, undefined, { raw: chunk, signal }), signal, isBusy);
}

async function complete(upload, file, tell, signal) {
  const end = () => ask("POST", "/api/v1/upload/complete", { upload_id: upload.upload_id }, { signal });
  try {
    return await patiently(end, signal);
  } catch (refusal) {
    if (refusal.code !== "upload.chunks_missing") throw refusal;
    await sendChunks(upload, file, refusal.missingChunks, tell, signal);
    return patiently(end, signal);
  }
}

// Both may be done twice.
async function patiently(act, signal, isWorthIt = () => false) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await act();
    } catch (fault) {
      const mayPass = fault instanceof Refusal && (fault.mayPass || isWorthIt(fault));
      if (!mayPass || tried === TRIES) throw fault;
      await pause(PAUSE_MS * tried, signal);
    }
  }
}

function chunkOf(upload, file, index) {
  return file.slice(index * upload.chunk_size_bytes, (index + 1) * upload.chunk_size_bytes);
}

const range = (count) => Array.from({ length: count }, (_, index) => index);

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
