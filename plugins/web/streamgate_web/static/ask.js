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
}

// Whoever is signed in is named. An access token lives for minutes: one that has run out is renewed, once.
export async function ask(method, path, body, { signal, raw } = {}) {
  const first = await send(method, path, body, signal, raw);
  if (first.response.status !== 401 || !first.token) return read(first.response);
  return (await renewAccess(first.token)) ? read((await send(method, path, body, signal, raw)).response) : read(first.response);
}

async function send(method, path, body, signal, raw) {
  const options = { method, headers: {}, signal };
  const token = accessToken();
  if (token) options.headers.Authorization = `Bearer ${token}`;
  if (raw) {
    options.headers["Content-Type"] = "application/octet-stream";
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
