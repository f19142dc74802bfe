// One call of the public API: its JSON, or a Refusal that carries the problem as the server told it.
import { accessToken, renewAccess } from "./access.js";

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the server answered ${status}`);
    this.status = status;
    this.code = problem.code || "";
    this.explanation = problem.explanation || null;
    this.fields = problem.errors || [];
    this.reason = problem.reason || "";
    this.until = problem.until || "";
    this.by = problem.by || "";
    this.missingChunks = problem.missing_chunks || [];
  }

  // Nobody answered, or not this time: the same may be granted in a moment.
  get mayPass() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

// Whoever is signed in is named. An access token lives for minutes: one that has run out is renewed, once.
export async function ask(method, path, body, options = {}) {
  return read(await answered(method, path, body, options));
}

// A file as whoever is signed in is sent it (an image element cannot say who asks), with what tells it from others.
export async function fetched(path) {
  const response = await answered("GET", path, undefined, {});
  return response.ok ? { etag: response.headers.get("ETag"), file: await response.blob() } : read(response);
}

async function answered(method, path, body, options) {
  const first = await send(method, path, body, options);
  if (first.response.status !== 401 || !first.token) return first.response;
  return (await renewAccess(first.token)) ? (await send(method, path, body, options)).response : first.response;
}

async function send(method, path, body, { signal, raw, type = "application/octet-stream" }) {
  const options = { method, headers: {}, signal };
  const token = accessToken();
  if (token) options.headers.Authorization = `Bearer ${token}`;
  if (raw) {
    options.headers["Content-Type"] = type;
    options.body = raw;
  } else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    return { token, response: await fetch(path, options) };
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Refusal(0, { title: "the server cannot be reached" });
  }
}

async function read(response) {
  const answer = await response.json().catch(() => ({})); // a proxy's error page is no JSON
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}
