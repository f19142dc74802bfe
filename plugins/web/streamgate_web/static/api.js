// The public API, as far as the page needs it.

export class Problem extends Error {
  /** @param {number} status @param {object} document RFC 9457, or {} when the answer was none */
  constructor(status, document) {
    super(document.detail || `the server answered ${status}`);
    this.status = status;
    this.code = document.code || "";
    this.explanation = document.explanation || null;
    this.retryAfterS = 0;
  }
}

/** The JSON answer. Throws Problem; status 0 when nothing answered. */
export async function ask(method, path, body, options = {}) {
  const request = { method, headers: { Accept: "application/json" }, ...options };
  if (body !== undefined) {
    request.headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new Problem(0, { detail: "the server cannot be reached" });
  }
  const isJson = (answer.headers.get("Content-Type") || "").includes("json");
  const document = isJson ? await answer.json() : {};
  if (answer.ok) return document;
  const problem = new Problem(answer.status, document);
  problem.retryAfterS = Number(answer.headers.get("Retry-After")) || 0;
  throw problem;
}
