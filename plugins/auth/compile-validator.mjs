// Compiles Validator.sol to Validator.json, which is checked in; needed only after a change of the source.
//
//     npm install --no-save solc@0.8.30 && node compile-validator.mjs
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(`${process.cwd()}/`)("solc");
const folder = new URL("streamgate_auth/evm/contracts/", import.meta.url);
const source = readFileSync(new URL("Validator.sol", folder), "utf8");

const input = {
  language: "Solidity",
  sources: { "Validator.sol": { content: source } },
  settings: {
    evmVersion: "paris", // no instruction that an older chain lacks
    optimizer: { enabled: true, runs: 1 },
    metadata: { bytecodeHash: "none", appendCBOR: false }, // the same bytes wherever it is compiled
    outputSelection: { "Validator.sol": { Validator: ["evm.bytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const faults = (output.errors ?? []).filter((fault) => fault.severity === "error");
if (faults.length > 0) {
  console.error(faults.map((fault) => fault.formattedMessage).join("\n"));
  process.exit(1);
}
const artifact = {
  contract: "Validator",
  compiler: solc.version(),
  source_sha256: createHash("sha256").update(source).digest("hex"),
  bytecode: `0x${output.contracts["Validator.sol"].Validator.evm.bytecode.object}`,
};
writeFileSync(new URL("Validator.json", folder), `${JSON.stringify(artifact, null, 1)}\n`);
