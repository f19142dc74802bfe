// The local chain of the dev profile: where there is one, a wallet for trying things, and its demo collection.
import { ask } from "./ask.js";

let known = null; // { chain, contract, contract_name }, or null: this is no dev profile

export const devchain = () => known;

export async function lookForDevchain(isListed) {
  if (!isListed) return;
  known = await ask("GET", "/api/v1/devchain/info").catch(() => null);
  if (known) (await import("./burner.js")).announceAll(known.chain);
}

// Whether the demo collection is what a gate asks for somewhere.
export function asksForDemo(explained) {
  if (!known || !explained) return false;
  const same = (explained.contract || "").toLowerCase() === known.contract.toLowerCase();
  return same || (explained.parts || []).some(asksForDemo);
}

// Of whoever is signed in, all demo tokens of the wallet that they signed in with.
export const giveAway = () => ask("POST", "/api/v1/devchain/give-away");

export const mintFor = (address) => ask("POST", "/api/v1/devchain/mint", { address });
