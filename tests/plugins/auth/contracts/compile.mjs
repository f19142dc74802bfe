// Compiles Tokens.sol to Tokens.json, which is checked in; needed only after a change of the source.
//
//     npm install --no-save solc@0.8.30 @openzeppelin/contracts@5.7.0 && node compile.mjs
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const solc = require("solc");
const folder = new URL(".", import.meta.url);
const source = readFileSync(new URL("Tokens.sol", folder), "utf8");

const input = {
  language: "Solidity",
  sources: { "Tokens.sol": { content: source } },
  settings: {
    evmVersion: "cancun", // OpenZeppelin 5.7 copies memory with an instruction of that fork
    optimizer: { enabled: true, runs: 1 },
    metadata: { bytecodeHash: "none" }, // the same bytes wherever it is compiled
    outputSelection: { "Tokens.sol": { "*": ["evm.bytecode.object"] } },
  },
};
const load = (path) => ({ contents: readFileSync(require.resolve(path), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: load }));
const faults = (output.errors ?? []).filter((fault) => fault.severity === "error");
if (faults.length > 0) {
  console.error(faults.map((fault) => fault.formattedMessage).join("\n"));
  process.exit(1);
}
const artifact = {
  compiler: solc.version(),
  openzeppelin: require("@openzeppelin/contracts/package.json").version,
  source_sha256: createHash("sha256").update(source).digest("hex"),
  bytecode: Object.fromEntries(
    Object.entries(output.contracts["Tokens.sol"]).map(([name, made]) => [name, `0x${made.evm.bytecode.object}`]),
  ),
};
writeFileSync(new URL("Tokens.json", folder), `${JSON.stringify(artifact, null, 1)}\n`);
