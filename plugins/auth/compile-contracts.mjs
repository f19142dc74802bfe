// Compiles Gather.yul and Validator.sol to JSON files, which are checked in; needed only after a change of a source.
//
//     npm install --no-save solc@0.8.30 && node compile-contracts.mjs
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(`${process.cwd()}/`)("solc");
const folder = new URL("streamgate_auth/evm/contracts/", import.meta.url);

function compile(name, file, language, settings) {
  const source = readFileSync(new URL(file, folder), "utf8");
  const input = {
    language,
    sources: { [file]: { content: source } },
    settings: {
      evmVersion: "paris", // no instruction that an older chain lacks
      outputSelection: { [file]: { [name]: ["evm.bytecode.object"] } },
      ...settings,
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const faults = (output.errors ?? []).filter((fault) => fault.severity === "error");
  if (faults.length > 0) {
    console.error(faults.map((fault) => fault.formattedMessage).join("\n"));
    process.exit(1);
  }
  const artifact = {
    contract: name,
    compiler: solc.version(),
    source_sha256: createHash("sha256").update(source).digest("hex"),
    bytecode: `0x${output.contracts[file][name].evm.bytecode.object}`,
  };
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify(artifact, null, 1)}\n`);
}

compile("Gather", "Gather.yul", "Yul", { optimizer: { enabled: true, runs: 1, details: { yul: true } } });
compile("Validator", "Validator.sol", "Solidity", {
  optimizer: { enabled: true, runs: 1 },
  metadata: { bytecodeHash: "none", appendCBOR: false }, // the same bytes wherever it is compiled
});
