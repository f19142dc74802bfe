// Who may watch, as a person says it: everybody, or holders of a token. One fieldset, used for a new video and an old one.
import { devchain } from "./devchain.js";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const CHAIN = /^[a-z0-9-]{3,8}:[A-Za-z0-9-]{1,32}$/;

export class GateFields {
  constructor(fieldset) {
    this.fieldset = fieldset;
    const name = `${fieldset.id}-who`;
    this.everybody = radio(name, "public", "Everybody");
    this.holders = radio(name, "holders", "Holders of this contract");
    this.contract = input("Contract", "0x…");
    this.chain = input("Chain", "eip155:1");
    this.more = document.createElement("div");
    this.more.className = "gate-more";
    this.more.append(this.contract.label, this.chain.label);
    this.hint = document.createElement("p");
    this.hint.className = "hint";
    const legend = document.createElement("legend");
    legend.textContent = "Who may watch";
    fieldset.replaceChildren(legend, this.everybody.label, this.holders.label, this.more, this.hint);
    fieldset.addEventListener("input", () => this.show()); // at "change" what is below would move under a click that ends it
    this.reset();
  }

  reset() {
    const demo = devchain();
    this.holders.input.checked = true;
    this.contract.input.value = demo?.contract ?? "";
    this.chain.input.value = demo?.chain ?? "eip155:1";
    this.show();
  }

  show() {
    const needed = this.holders.input.checked;
    this.more.hidden = !needed;
    for (const each of [this.contract, this.chain]) each.input.required = needed;
    const demo = devchain();
    const isDemo = needed && demo && this.contract.input.value.toLowerCase() === demo.contract.toLowerCase();
    this.hint.textContent = isDemo ? `${demo.contract_name}: the demo collection of the local chain.` : "";
  }

  // The rule as the API takes it, or null with the fault shown at its field.
  rule() {
    if (this.everybody.input.checked) return { public: {} };
    const contract = this.contract.input.value.trim();
    const chain = this.chain.input.value.trim();
    tellField(this.contract.input, ADDRESS.test(contract) ? "" : "A contract is 0x and 40 hexadecimal digits.");
    tellField(this.chain.input, CHAIN.test(chain) ? "" : "A chain is named like eip155:1 (Ethereum).");
    const isGood = this.contract.input.reportValidity() && this.chain.input.reportValidity();
    return isGood ? { erc721: { chain, contract } } : null;
  }
}

function tellField(field, fault) {
  field.setCustomValidity(fault);
  field.addEventListener("input", () => field.setCustomValidity(""), { once: true });
}

function radio(name, value, text) {
  const made = document.createElement("input");
  Object.assign(made, { type: "radio", name, value });
  const label = document.createElement("label");
  label.className = "tick";
  label.append(made, text);
  return { input: made, label };
}

function input(text, placeholder) {
  const made = document.createElement("input");
  Object.assign(made, { type: "text", placeholder, spellcheck: false, autocapitalize: "off" });
  const label = document.createElement("label");
  label.className = "field";
  label.append(text, made);
  return { input: made, label };
}
