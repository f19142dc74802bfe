// Signs in at a running StreamGate as wallets written by others do, each on its own, and writes what came of it:
// [{client, scheme, address, status, answer}]. Reads {url, rpc_url, contracts: {name: bytecode}} from stdin.
import { readFileSync } from "node:fs";
import { createSignInMessageText } from "@solana/wallet-standard-util";
import { createKeyPairSignerFromPrivateKeyBytes, createSignableMessage } from "@solana/kit";
import { Keypair, PublicKey } from "@solana/web3.js";
import { Contract, ContractFactory, JsonRpcProvider, Wallet, encodeBase58 } from "ethers";
import { SiweMessage } from "siwe";
import nacl from "tweetnacl";
import {
  concatHex,
  createPublicClient,
  createWalletClient,
  encodeFunctionData,
  http,
  parseAbi,
  serializeErc6492Signature,
  toHex,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { parseSiweMessage } from "viem/siwe";

const { url, rpc_url, contracts } = JSON.parse(readFileSync(0, "utf8"));

const post = async (path, body) => {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${url}/api/v1/auth/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return { status: answer.status, answer: await answer.json() };
};

// `sign(challenge)` gives the signature, or {signature, message} where the wallet wrote the text itself.
const signIn = async (client, scheme, address, sign) => {
  const asked = await post("challenge", { address, scheme });
  if (asked.status !== 200) return { client, scheme, address, ...asked };
  const signed = await sign(asked.answer);
  const proof = typeof signed === "string" ? { signature: signed } : signed;
  const proven = await post("verify-signature", { challenge_id: asked.answer.challenge_id, ...proof });
  return { client, scheme, address, ...proven };
};

const withoutDomainType = ({ types: { EIP712Domain, ...types }, ...rest }) => ({ ...rest, types });

// --- keys -------------------------------------------------------------------------------------------

const viem = (scheme) => {
  const account = privateKeyToAccount(generatePrivateKey());
  return signIn("viem", scheme, account.address, async ({ message, typed_data }) => {
    if (scheme === "eip712") return account.signTypedData(withoutDomainType(typed_data));
    if (scheme === "siwe" && parseSiweMessage(message).address !== account.address) throw new Error("read otherwise");
    return account.signMessage({ message });
  });
};

const ethers = (scheme) => {
  const wallet = Wallet.createRandom();
  return signIn("ethers", scheme, wallet.address, async ({ message, typed_data }) => {
    if (scheme !== "eip712") return wallet.signMessage(message);
    const { domain, types, message: value } = withoutDomainType(typed_data);
    return wallet.signTypedData(domain, types, value);
  });
};

// The reference implementation of EIP-4361 reads our text, writes it again, and verifies the signature over it.
const siwe = () => {
  const wallet = Wallet.createRandom();
  return signIn("siwe", "siwe", wallet.address, async ({ message, domain, nonce }) => {
    const parsed = new SiweMessage(message);
    if (parsed.prepareMessage() !== message) throw new Error("siwe writes it otherwise");
    const signature = await wallet.signMessage(message);
    await parsed.verify({ signature, domain, nonce, time: parsed.issuedAt });
    return signature;
  });
};

const textFor = (scheme, { message, sign_in_input }) =>
  new TextEncoder().encode(scheme === "siws" ? createSignInMessageText(sign_in_input) : message);
const answerWith = (text, signature, form) => ({
  signature: form === "base58" ? encodeBase58(signature) : Buffer.from(signature).toString("base64"),
  message: new TextDecoder().decode(text),
});

const tweetnacl = (scheme) => {
  const pair = nacl.sign.keyPair();
  return signIn("tweetnacl", scheme, encodeBase58(pair.publicKey), (asked) => {
    const text = textFor(scheme, asked);
    return answerWith(text, nacl.sign.detached(text, pair.secretKey), "base64");
  });
};

const web3js = (scheme) => {
  const pair = Keypair.generate();
  const address = new PublicKey(pair.publicKey.toBytes()).toBase58();
  return signIn("@solana/web3.js", scheme, address, (asked) => {
    const text = textFor(scheme, asked);
    return answerWith(text, nacl.sign.detached(text, pair.secretKey), "base58");
  });
};

const kit = async (scheme) => {
  const signer = await createKeyPairSignerFromPrivateKeyBytes(crypto.getRandomValues(new Uint8Array(32)));
  return signIn("@solana/kit", scheme, signer.address, async (asked) => {
    const text = textFor(scheme, asked);
    const [signatures] = await signer.signMessages([createSignableMessage(text)]);
    return answerWith(text, signatures[signer.address], "base58");
  });
};

// --- contracts --------------------------------------------------------------------------------------

const MAKE = "function make(address[] owners, uint256 threshold, bytes32 salt) returns (address)";
const ADDRESS_OF = "function addressOf(address[] owners, uint256 threshold, bytes32 salt) view returns (address)";
const CONSTRUCTOR = "constructor(address[] owners, uint256 threshold)";
const inOrder = (one, other) => (BigInt(one.address) < BigInt(other.address) ? -1 : 1);

// viem makes the wallet's address, its owners' signatures and the wrapper; nothing is ever deployed.
const viemUndeployed = async (chain, scheme) => {
  const owners = [0, 1].map(() => privateKeyToAccount(generatePrivateKey())).sort(inOrder);
  const args = [owners.map((owner) => owner.address), 2n, toHex(7n, { size: 32 })];
  const reader = createPublicClient({ transport: http(rpc_url) });
  const payer = createWalletClient({ transport: http(rpc_url) });
  const [, , , account] = await payer.getAddresses();
  const hash = await payer.sendTransaction({ account, chain: null, data: contracts.WalletFactory });
  const { contractAddress: factory } = await reader.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  const address = await reader.readContract({ address: factory, abi: parseAbi([ADDRESS_OF]), functionName: "addressOf", args });
  const data = encodeFunctionData({ abi: parseAbi([MAKE]), functionName: "make", args });
  return signIn("viem, undeployed contract", scheme, `${chain}:${address}`, async ({ message, typed_data }) => {
    const signed = owners.map((owner) =>
      scheme === "eip712" ? owner.signTypedData(withoutDomainType(typed_data)) : owner.signMessage({ message }),
    );
    return serializeErc6492Signature({ address: factory, data, signature: concatHex(await Promise.all(signed)) });
  });
};

const ethersContract = async (chain, scheme) => {
  const provider = new JsonRpcProvider(rpc_url, undefined, { staticNetwork: true, pollingInterval: 20 });
  const owners = [0, 1, 2].map(() => Wallet.createRandom()).sort(inOrder);
  const factory = new ContractFactory([CONSTRUCTOR], contracts.ThresholdWallet, await provider.getSigner(4));
  const deployed = await factory.deploy(owners.map((owner) => owner.address), 2);
  await deployed.waitForDeployment();
  const wallet = new Contract(await deployed.getAddress(), [], provider);
  const found = await signIn("ethers, contract", scheme, `${chain}:${wallet.target}`, async ({ message }) => {
    const signed = owners.slice(1).map((owner) => owner.signMessage(message));
    return `0x${(await Promise.all(signed)).map((signature) => signature.slice(2)).join("")}`;
  });
  provider.destroy();
  return found;
};

const chain = `eip155:${await createPublicClient({ transport: http(rpc_url) }).getChainId()}`;
const evm = ["siwe", "eip191", "eip712"];
const done = await Promise.all([
  ...evm.flatMap((scheme) => [viem(scheme), ethers(scheme)]),
  siwe(),
  ...["siws", "solana"].flatMap((scheme) => [tweetnacl(scheme), web3js(scheme), kit(scheme)]),
]);
// One after another: they pay from accounts whose transactions are numbered.
for (const scheme of ["siwe", "eip712"]) done.push(await viemUndeployed(chain, scheme));
done.push(await ethersContract(chain, "siwe"));
process.stdout.write(JSON.stringify(done));
