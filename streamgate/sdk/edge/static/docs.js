// The API's description, drawn. Texts are set as text, never as markup; the token stays in its field.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const MAX_DEPTH = 6;

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function resolve(description, thing) {
  const path = thing && thing.$ref ? thing.$ref.replace("#/", "").split("/") : null;
  return path ? path.reduce((at, step) => (at || {})[step], description) || {} : thing || {};
}

// A schema as an example of its shape: {"title": text, "tags": [text]}.
function shape(description, schema, depth = 0) {
  const found = resolve(description, schema);
  if (depth > MAX_DEPTH) return "…";
  const several = found.anyOf || found.oneOf;
  if (several) {
    const kinds = several.map((each) => shape(description, each, depth + 1));
    const texts = kinds.filter((each) => typeof each === "string");
    return texts.length === kinds.length ? texts.join(" or ") : kinds.find((each) => typeof each !== "string");
  }
  if (found.enum) return found.enum.join(" | ");
  const kind = Array.isArray(found.type) ? found.type.filter((each) => each !== "null")[0] : found.type;
  if (kind === "array") return [shape(description, found.items, depth + 1)];
  if (kind === "object" || found.properties) {
    const required = new Set(found.required || []);
    const entries = Object.entries(found.properties || {});
    if (!entries.length) return found.additionalProperties ? { "…": "any" } : {};
    return Object.fromEntries(
      entries.map(([name, each]) => [required.has(name) ? name : `${name}?`, shape(description, each, depth + 1)]),
    );
  }
  return Array.isArray(found.type) ? found.type.join(" or ") : found.type || "any";
}

function bounds(schema) {
  const words = { minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<", minLength: "at least", maxLength: "at most" };
  const found = Object.entries(words).filter(([key]) => schema[key] !== undefined).map(([key, word]) => `${word} ${schema[key]}`);
  if (schema.default !== undefined) found.push(`default ${schema.default}`);
  return found.length ? ` (${found.join(", ")})` : "";
}

function drawShape(description, content) {
  return Object.entries(content || {}).map(([type, body]) => {
    const isJson = body.schema && type.includes("json");
    const drawn = isJson ? JSON.stringify(shape(description, body.schema), null, 2) : "";
    return make("div", {}, make("code", {}, type), drawn ? make("pre", {}, drawn) : "");
  });
}

function drawParameters(description, parameters) {
  const rows = parameters.flatMap((parameter) => {
    const kind = shape(description, parameter.schema);
    const said = `${parameter.in}, ${typeof kind === "string" ? kind : "JSON"}${parameter.required ? ", required" : ""}`;
    const more = parameter.description ? `: ${parameter.description}` : "";
    return [make("dt", {}, parameter.name), make("dd", {}, said + bounds(parameter.schema || {}) + more)];
  });
  return make("dl", {}, ...rows);
}

function drawAnswers(description, responses) {
  const rows = Object.entries(responses).flatMap(([status, named]) => {
    const answer = resolve(description, named);
    const codes = answer["x-streamgate-codes"];
    const isProblem = Boolean((answer.content || {})["application/problem+json"]);
    const shown = isProblem ? [] : drawShape(description, answer.content);
    const words = codes ? codes.map((code) => make("code", {}, `${code} `)) : [answer.description || ""];
    const headers = isProblem ? "" : Object.keys(answer.headers || {}).join(", ");
    const told = headers ? make("div", { class: "hint" }, `Headers: ${headers}`) : "";
    return [make("dt", {}, status), make("dd", {}, ...words, told, ...shown)];
  });
  return make("dl", {}, ...rows);
}

// GET alone: what changes something is not tried by a click.
function drawTry(path, parameters) {
  const fields = parameters.filter((parameter) => parameter.in !== "header").map((parameter) => {
    const input = make("input", { name: parameter.name, "data-in": parameter.in, autocomplete: "off" });
    if (parameter.required) input.required = true;
    return [input, make("label", {}, parameter.name, input)];
  });
  const button = make("button", { type: "submit" }, "Send");
  const answer = make("pre", { "aria-live": "polite" });
  answer.hidden = true;
  const form = make("form", {}, ...fields.map(([, label]) => label), button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(path, fields.map(([input]) => input), button, answer);
  });
  return make("div", {}, make("h3", {}, "Try it"), form, answer);
}

// Of an answer without end: up to the first event, and then it is left.
async function beginningOf(found) {
  const reader = found.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\nevent:")) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return `${text}…`;
}

async function send(path, inputs, button, answer) {
  let target = path;
  const query = new URLSearchParams();
  for (const input of inputs) {
    if (input.dataset.in === "path") target = target.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(input.name, input.value);
  }
  if (query.size) target += `?${query}`;
  const token = document.getElementById("token").value.trim();
  button.disabled = true;
  answer.hidden = false;
  try {
    const found = await fetch(target, { headers: token ? { Authorization: `Bearer ${token}` } : {}, credentials: "omit" });
    const kind = found.headers.get("content-type") || "";
    const isText = /json|text|xml|mpegurl|openmetrics/.test(kind);
    const isEndless = /event-stream/.test(kind);
    let body = isEndless ? await beginningOf(found) : isText ? await found.text() : `${kind || "nothing"}, ${(await found.blob()).size} bytes`;
    if (/json/.test(kind)) body = JSON.stringify(JSON.parse(body), null, 2);
    answer.textContent = `GET ${target}\n${found.status} ${found.statusText}\n\n${body}`;
  } catch (fault) {
    answer.textContent = `GET ${target}\n${fault}`;
  }
  button.disabled = false;
}

function drawOperation(description, path, method, operation) {
  const parameters = (operation.parameters || []).map((each) => resolve(description, each));
  const policy = operation["x-streamgate-policy"];
  const summary = make(
    "summary", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), " ",
    make("span", { class: "path" }, path), " ", policy ? make("span", { class: "policy" }, policy) : "", " ",
    make("span", { class: "hint" }, operation.summary || ""),
  );
  const details = make("details", { class: "operation", id: operation.operationId || "" }, summary);
  const words = `${method} ${path} ${operation.summary} ${JSON.stringify(operation.responses)}`.toLowerCase();
  details.dataset.words = words;
  details.addEventListener("toggle", () => {
    if (details.children.length > 1) return; // drawn when it is opened first
    const body = operation.requestBody;
    details.append(make(
      "div", {},
      operation.description ? make("p", {}, operation.description) : "",
      parameters.length ? make("h3", {}, "Parameters") : "",
      parameters.length ? drawParameters(description, parameters) : "",
      body ? make("h3", {}, "Body") : "",
      ...(body ? drawShape(description, body.content) : []),
      make("h3", {}, "Answers"), drawAnswers(description, operation.responses),
      method === "get" && !operation["x-websocket"] ? drawTry(path, parameters) : "",
    ));
  });
  return details;
}

function draw(description) {
  const byTag = new Map();
  for (const [path, operations] of Object.entries(description.paths)) {
    for (const method of METHODS) {
      if (!operations[method]) continue;
      const tag = (operations[method].tags || ["other"])[0];
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(drawOperation(description, path, method, operations[method]));
    }
  }
  const main = document.getElementById("operations");
  const nav = document.getElementById("tags");
  main.replaceChildren();
  for (const tag of [...byTag.keys()].sort()) {
    main.append(make("section", { id: `tag-${tag}` }, make("h2", {}, tag), ...byTag.get(tag)));
    nav.append(make("a", { href: `#tag-${tag}` }, `${tag} (${byTag.get(tag).length})`));
  }
  document.getElementById("title").textContent = description.info.title;
  document.getElementById("version").textContent = description.info.version;
}

function find(word) {
  for (const section of document.querySelectorAll("#operations section")) {
    let shown = 0;
    for (const details of section.querySelectorAll("details.operation")) {
      details.hidden = !details.dataset.words.includes(word);
      shown += details.hidden ? 0 : 1;
    }
    section.hidden = !shown;
  }
}

async function begin() {
  document.getElementById("find").addEventListener("input", (event) => find(event.target.value.trim().toLowerCase()));
  try {
    const answer = await fetch("/openapi.json", { credentials: "omit" });
    if (!answer.ok) throw new Error(`/openapi.json: ${answer.status}`);
    draw(await answer.json());
  } catch (fault) {
    document.getElementById("operations").replaceChildren(make("p", { role: "alert" }, `The description cannot be had: ${fault.message}`));
  }
}

begin();
