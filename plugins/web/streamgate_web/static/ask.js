// One call of the public API: its JSON, or a Refusal that carries the problem as the server told it.

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the server answered ${status}`);
    this.status = status;
    this.code = problem.code || "";
    this.explanation = problem.explanation || null;
  }
}

export async function ask(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refusal(0, { title: "the server cannot be reached" });
  }
  const answer = await response.json().catch(() => ({})); // a proxy's error page is no JSON
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}
