// Wallets for trying things, in the dev profile alone: their keys are made here, kept in this browser in the open, and worth
// nothing. They make themselves known as any wallet does (EIP-6963), so that the page needs no second way to sign in. There
// are two, so that one browser has somebody who shares and somebody who stands before the lock.
import { etc, getPublicKey, signAsync, utils } from "./vendor/secp256k1.js";
import { keccak256 } from "./vendor/sha3.js";

const WALLETS = [
  { name: "Throw-away wallet (development only)", kept: "streamgate.burner-key", colour: "#c2410c", rdns: "local.streamgate.burner" },
  { name: "A visitor's wallet (development only)", kept: "streamgate.visitor-key", colour: "#0f766e", rdns: "local.streamgate.visitor" },
];

export function announceAll(chain) {
  for (const wallet of WALLETS) announce(chain, wallet);
}

function announce(chain, { name, kept, colour, rdns }) {
  const info = { uuid: crypto.randomUUID(), name, icon: icon(colour), rdns };
  const detail = Object.freeze({ info, provider: new Burner(chain, kept) });
  const tell = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", tell);
  tell();
}

function icon(colour) {
  const drawn =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="${colour}"/>` +
    '<path d="M12 4c1 4 5 5 5 10a5 5 0 0 1-10 0c0-2 1-3 2-4 0 2 1 3 2 3 1-2-1-5 1-9z" fill="#fff"/></svg>';
  return `data:image/svg+xml,${encodeURIComponent(drawn)}`;
}

class Burner {
  constructor(chain, kept) {
    this.chainId = `0x${Number(chain.split(":")[1]).toString(16)}`;
    this.key = keyKept(kept);
    const point = getPublicKey(this.key, false).slice(1);
    this.address = `0x${keccak256(point).slice(-40)}`;
  }

  async request({ method, params }) {
    switch (method) {
      case "eth_requestAccounts":
      case "eth_accounts":
        return [this.address];
      case "eth_chainId":
        return this.chainId;
      case "personal_sign":
        return this.sign(etc.hexToBytes(params[0].slice(2)));
      default:
        throw Object.assign(new Error(`this wallet cannot do ${method}`), { code: 4200 });
    }
  }

  // EIP-191; the signature is r, s and v, 65 bytes in hex.
  async sign(message) {
    const head = new TextEncoder().encode(`\x19Ethereum Signed Message:\n${message.length}`);
    const signature = await signAsync(keccak256(etc.concatBytes(head, message)), this.key);
    return `0x${signature.toCompactHex()}${(27 + signature.recovery).toString(16)}`;
  }
}

function keyKept(name) {
  try {
    const found = localStorage.getItem(name);
    if (found && utils.isValidPrivateKey(found)) return etc.hexToBytes(found);
    const made = utils.randomPrivateKey();
    localStorage.setItem(name, etc.bytesToHex(made));
    return made;
  } catch {
    return utils.randomPrivateKey(); // storage is switched off: for this visit
  }
}
