// Reads [[address, …], …], makes OpenZeppelin's standard tree of each list, and writes [{root, proofs: {address: […]}}].
import { readFileSync } from "node:fs";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";

const trees = JSON.parse(readFileSync(0, "utf8")).map((addresses) => {
  const tree = StandardMerkleTree.of(addresses.map((address) => [address]), ["address"]);
  const proofs = Object.fromEntries([...tree.entries()].slice(0, 4).map(([i, [address]]) => [address, tree.getProof(i)]));
  return { root: tree.root, proofs };
});
process.stdout.write(JSON.stringify(trees));
