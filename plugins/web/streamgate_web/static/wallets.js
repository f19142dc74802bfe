// Wallets of this browser (EIP-6963), the dialog that offers them, and signing in with one (EIP-4361).
import { signedIn } from "./access.js";
import { Refusal, ask } from "./ask.js";
import { sentence } from "./words.js";

const element = (id) => document.getElementById(id);
const REJECTED = 4001; // EIP-1193: the person said no

const wallets = new Map(); // by uuid: { info, provider }

export function lookForWallets() {
  window.addEventListener("eip6963:announceProvider", ({ detail }) => {
    if (!detail?.info?.uuid || !detail.provider) return;
    wallets.set(detail.info.uuid, detail);
    if (element("wallets").open) showWallets();
  });
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  element("wallets-close").addEventListener("click", () => element("wallets").close());
}

export function offerWallets() {
  window.dispatchEvent(new Event("eip6963:requestProvider")); // one may have been installed meanwhile
  tellFault("");
  showWallets();
  element("wallets").showModal();
}

function showWallets() {
  element("wallets-list").replaceChildren(...Array.from(wallets.values(), item));
  element("wallets-none").hidden = wallets.size > 0;
}

function item({ info, provider }) {
  const button = document.createElement("button");
  button.type = "button";
  if (String(info.icon).startsWith("data:image/")) {
    const icon = document.createElement("img");
    icon.src = info.icon;
    icon.alt = "";
    button.append(icon);
  }
  const name = document.createElement("span");
  name.textContent = info.name;
  button.append(name);
  button.addEventListener("click", () => choose(button, provider));
  const entry = document.createElement("li");
  entry.append(button);
  return entry;
}

async function choose(button, provider) {
  tellFault("");
  button.disabled = true;
  try {
    signedIn(await signIn(provider));
    element("wallets").close();
  } catch (fault) {
    tellFault(inWords(fault));
  }
  button.disabled = false;
}

async function signIn(provider) {
  const [address] = await provider.request({ method: "eth_requestAccounts" });
  const challenge = await challengeFor(address, await chainOf(provider));
  const signature = await provider.request({ method: "personal_sign", params: [hex(challenge.message), address] });
  const proof = { challenge_id: challenge.challenge_id, signature, cookie: true };
  return ask("POST", "/api/v1/auth/verify-signature", proof);
}

// On the wallet's own chain where the server knows it (wallets warn of another), else on the server's first.
async function challengeFor(address, chain) {
  try {
    return await ask("POST", "/api/v1/auth/challenge", chain ? { address, chain } : { address });
  } catch (refusal) {
    if (refusal.code !== "auth.chain_unknown") throw refusal;
    return ask("POST", "/api/v1/auth/challenge", { address });
  }
}

async function chainOf(provider) {
  try {
    return `eip155:${Number.parseInt(await provider.request({ method: "eth_chainId" }), 16)}`;
  } catch {
    return "";
  }
}

function hex(text) {
  return `0x${Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function inWords(fault) {
  if (fault?.code === REJECTED) return "The wallet did not sign. Nothing has changed.";
  if (fault instanceof Refusal) return sentence(fault.message);
  return `The wallet says: ${fault?.message || "it cannot sign"}`;
}

function tellFault(text) {
  element("wallets-fault").textContent = text;
  element("wallets-fault").hidden = !text;
}
