// Compiles each source here to JSON beside it, which is checked in; needed only after a change of a source.
//
//     npm install --no-save solc@0.8.30 @openzeppelin/contracts@5.7.0 && node compile.mjs
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const solc = require("solc");
const folder = new URL(".", import.meta.url);
const load = (path) => ({ contents: readFileSync(require.resolve(path), "utf8") });

function compile(name) {
  const source = readFileSync(new URL(name, folder), "utf8");
  const input = {
    language: "Solidity",
    sources: { [name]: { content: source } },
    settings: {
      evmVersion: "cancun", // OpenZeppelin 5.7 copies memory with an instruction of that fork
      optimizer: { enabled: true, runs: 1 },
      metadata: { bytecodeHash: "none" }, // the same bytes wherever it is compiled
      outputSelection: { [name]: { "*": ["evm.bytecode.object"] } },
    },
  };
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
      Object.entries(output.contracts[name]).map(([contract, made]) => [contract, `0x${made.evm.bytecode.object}`]),
    ),
  };
  writeFileSync(new URL(name.replace(/sol$/, "json"), folder), `${JSON.stringify(artifact, null, 1)}\n`);
}

for (const name of readdirSync(folder)) {
  if (name.endsWith(".sol")) compile(name);
}
