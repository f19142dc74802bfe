// Compiles DemoPass.sol to DemoPass.json, which is checked in; needed only after a change of the source.
//
//     npm install --no-save solc@0.8.30 @openzeppelin/contracts@5.7.0 && node compile.mjs
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const solc = require("solc");
const folder = new URL("streamgate_devchain/contracts/", import.meta.url);
const source = readFileSync(new URL("DemoPass.sol", folder), "utf8");

const input = {
  language: "Solidity",
  sources: { "DemoPass.sol": { content: source } },
  settings: {
    evmVersion: "cancun", // OpenZeppelin 5.7 copies memory with an instruction of that fork
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: "none" }, // the same bytes wherever it is compiled
    outputSelection: { "DemoPass.sol": { DemoPass: ["abi", "evm.bytecode.object"] } },
  },
};
const load = (path) => ({ contents: readFileSync(require.resolve(path), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: load }));
const faults = (output.errors ?? []).filter((fault) => fault.severity === "error");
if (faults.length > 0) {
  console.error(faults.map((fault) => fault.formattedMessage).join("\n"));
  process.exit(1);
}
const contract = output.contracts["DemoPass.sol"].DemoPass;
const artifact = {
  contract: "DemoPass",
  compiler: solc.version(),
  openzeppelin: require("@openzeppelin/contracts/package.json").version,
  source_sha256: createHash("sha256").update(source).digest("hex"),
  abi: contract.abi,
  bytecode: `0x${contract.evm.bytecode.object}`,
};
writeFileSync(new URL("DemoPass.json", folder), `${JSON.stringify(artifact, null, 1)}\n`);
