// Reads [{client, scheme, key, challenge}] from stdin, signs each challenge as that client's users do, and writes
// [{address, signature, message}]. Keys are hex: of secp256k1, or the seed of an ed25519 key.
import { readFileSync } from "node:fs";
import { createSignInMessageText } from "@solana/wallet-standard-util";
import { Wallet, encodeBase58 } from "ethers";
import { SiweMessage } from "siwe";
import nacl from "tweetnacl";
import { privateKeyToAccount } from "viem/accounts";
import { parseSiweMessage } from "viem/siwe";

const withoutDomainType = ({ types: { EIP712Domain, ...types }, ...rest }) => ({ ...rest, types });

const viem = async (scheme, key, { message, typed_data }) => {
  const account = privateKeyToAccount(key);
  if (scheme === "siwe" && parseSiweMessage(message).address !== account.address) throw new Error("viem reads it otherwise");
  return scheme === "eip712" ? account.signTypedData(withoutDomainType(typed_data)) : account.signMessage({ message });
};

const ethers = async (scheme, key, { message, typed_data }) => {
  const wallet = new Wallet(key);
  if (scheme !== "eip712") return wallet.signMessage(message);
  const { domain, types, message: value } = withoutDomainType(typed_data);
  return wallet.signTypedData(domain, types, value);
};

// The reference implementation of EIP-4361 reads our text, writes it again and verifies the signature over it.
const siwe = async (scheme, key, { message, domain, nonce }) => {
  const parsed = new SiweMessage(message);
  if (parsed.prepareMessage() !== message) throw new Error("siwe writes it otherwise");
  const signature = await new Wallet(key).signMessage(message);
  await parsed.verify({ signature, domain, nonce, time: parsed.issuedAt });
  return signature;
};

const solana = (scheme, key, { message, sign_in_input }) => {
  const pair = nacl.sign.keyPair.fromSeed(Buffer.from(key.slice(2), "hex"));
  const text = scheme === "siws" ? createSignInMessageText(sign_in_input) : message;
  const signature = nacl.sign.detached(new TextEncoder().encode(text), pair.secretKey);
  return { signature, text };
};

const sign = async ({ client, scheme, key, challenge }) => {
  if (client === "solana-base58") {
    const { signature, text } = solana(scheme, key, challenge);
    return { signature: encodeBase58(signature), message: text };
  }
  if (client === "solana-base64") {
    const { signature, text } = solana(scheme, key, challenge);
    return { signature: Buffer.from(signature).toString("base64"), message: text };
  }
  const signature = await { viem, ethers, siwe }[client](scheme, key, challenge);
  return { signature, message: null };
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await Promise.all(asked.map(sign))));
