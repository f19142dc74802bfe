// Reads texts from stdin and writes what EIP-4361's reference implementation makes of each: its fields, or null.
import { readFileSync } from "node:fs";
import { SiweMessage } from "siwe";

const read = (text) => {
  try {
    const { domain, scheme, address, statement, uri, version, chainId, nonce, ...rest } = new SiweMessage(text);
    const { issuedAt, expirationTime, notBefore, requestId, resources } = rest;
    const times = { issued_at: issuedAt, expiration_time: expirationTime, not_before: notBefore };
    const named = { domain, scheme, address, statement, uri, version, chain_id: String(chainId), nonce };
    return { ...named, ...times, request_id: requestId, resources };
  } catch {
    return null;
  }
};

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
