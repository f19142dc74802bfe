// The gate as a picture: its explanation as a tree, a mark for each part. `treeOf` is pure; `drawn` makes the list of it.
import { shortAddress, withMoments } from "./words.js";

const MARKS = { holds: "✓", lacks: "✗", unknown: "?", skipped: "–" };
const MEANINGS = { holds: "met", lacks: "not met", unknown: "not known", skipped: "not looked at" };
// Below a `not` nothing is asked for: what is marked there is the case, or is not.
const FACTS = { ...MEANINGS, holds: "the case", lacks: "not the case" };
const OUTCOMES = { holds: "holds", does_not_hold: "lacks" };

// A rule of one requirement is that requirement, whatever stands around it.
export function bare(explained) {
  const isWrapper = ["any", "all", "same_as", "veto"].includes(explained.kind) && explained.parts?.length === 1;
  return isWrapper ? bare(explained.parts[0]) : explained;
}

// {state, meaning, label, address, facts, link, parts}; `address`: what may be shortened in the label.
export function treeOf(explained, isFact = false) {
  const node = bare(explained);
  if (node.kind === "not" && !bare(node.parts[0]).parts?.length) {
    const inside = treeOf(node.parts[0], true);
    return { ...said(node, isFact), ...inside, ...marked(node, isFact), label: `Not: ${inside.label}` };
  }
  const parts = node.kind === "not" ? [treeOf(node.parts[0], true)] : (node.parts ?? []).map((part) => treeOf(part, isFact));
  return { ...said(node, isFact), parts };
}

function said(node, isFact) {
  const isLeaf = !node.parts?.length;
  return {
    ...marked(node, isFact),
    label: isLeaf ? withMoments(node.text) : joined(node),
    address: isLeaf ? node.contract || "" : "",
    facts: isLeaf ? measured(node) : [],
    link: isLeaf ? placeOf(node.link) : null,
    parts: [],
  };
}

function marked(node, isFact) {
  const state = node.asked === false ? "skipped" : OUTCOMES[node.outcome] || "unknown";
  return { state, meaning: (isFact ? FACTS : MEANINGS)[state] };
}

function joined(node) {
  switch (node.kind) {
    case "any":
      return "Any one of these";
    case "all":
      return "All of these";
    case "at_least":
      return `At least ${node.needed} of these ${node.parts.length} (${node.held} so far)`;
    default:
      return "Not this";
  }
}

function measured(node) {
  const facts = [];
  if (node.needed) {
    facts.push(`needed: ${node.needed_text || node.needed}`);
    if (node.asked !== false && node.outcome !== "unknown") facts.push(`held: ${node.held_text || node.held || "0"}`);
  } else {
    if (node.held_text) facts.push(/^it is /.test(node.held_text) ? node.held_text : `held: ${node.held_text}`);
    if (node.satisfy && !node.text.endsWith(node.satisfy.replace(/^\S+ /, ""))) facts.push(node.satisfy);
  }
  if (node.held_by) facts.push(`by ${shortAddress(node.held_by)}`);
  if (node.reason) facts.push(node.reason);
  return facts.map(withMoments);
}

// Links come from whoever has written the kind of requirement: nothing but a page of the web is followed.
function placeOf(link) {
  if (!link || !URL.canParse(link)) return null;
  const { protocol, host, href } = new URL(link);
  return ["https:", "http:"].includes(protocol) ? { href, words: `Get it at ${host}` } : null;
}

// --- the list ----------------------------------------------------------------------------------------

export function drawn(node) {
  const item = made("li", node.state);
  const mark = made("span", "mark", MARKS[node.state]);
  mark.setAttribute("aria-hidden", "true");
  const text = made("div", "");
  text.append(made("span", "unseen", `${node.meaning}: `), labelled(node));
  if (node.facts.length) text.append(made("span", "facts", node.facts.join(" · ")));
  if (node.link) text.append(linked(node.link));
  item.append(mark, text);
  if (node.parts.length) {
    const inside = made("ul", "");
    inside.append(...node.parts.map(drawn));
    text.append(inside);
  }
  return item;
}

function labelled({ label, address, parts }) {
  const text = made("span", parts.length ? "group" : "");
  const [before, after] = address ? label.split(address) : [label];
  text.append(before);
  if (after !== undefined) {
    const short = made("abbr", "", shortAddress(address));
    short.title = address;
    text.append(short, after);
  }
  return text;
}

function linked({ href, words }) {
  const link = made("a", "", words);
  Object.assign(link, { href, target: "_blank", rel: "noopener noreferrer" });
  return link;
}

function made(tag, kind, text = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  return element;
}
