// What an owner does with a video beside watching it: say anew who may, and delete it.
import { whoIsHere } from "./access.js";
import { ask } from "./ask.js";
import { GateFields } from "./gate.js";
import { sentence } from "./words.js";

const element = (id) => document.getElementById(id);

export class Owning {
  // `deleted()` and `changed()` are told after the server has done it.
  constructor(deleted, changed) {
    this.deleted = deleted;
    this.changed = changed;
    this.content = null;
    this.gate = new GateFields(element("gate-fields"));
    element("change-gate").addEventListener("click", () => this.openGate());
    element("gate-close").addEventListener("click", () => element("gate-dialog").close());
    element("gate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.saveGate();
    });
    element("delete").addEventListener("click", () => element("delete-dialog").showModal());
    element("delete-close").addEventListener("click", () => element("delete-dialog").close());
    element("delete-go").addEventListener("click", () => this.remove());
  }

  show(content) {
    this.content = content;
    const person = whoIsHere();
    element("owner-tools").hidden = !content || !person || content.owner !== person.userId;
  }

  async openGate() {
    this.tellGate("");
    element("gate-now").textContent = "";
    this.gate.reset();
    element("gate-dialog").showModal();
    try {
      const { gate, text } = await ask("GET", `/api/v1/content/${this.content.content_id}/gate`);
      element("gate-now").textContent = gate ? `Now: ${text}.` : "Now: nobody but you.";
    } catch (refusal) {
      this.tellGate(refusal.message);
    }
  }

  async saveGate() {
    const rule = this.gate.rule();
    if (!rule) return;
    try {
      await ask("PUT", `/api/v1/content/${this.content.content_id}/gate`, rule);
      element("gate-dialog").close();
      this.changed();
    } catch (refusal) {
      this.tellGate(refusal.fields?.length ? refusal.fields.map((each) => each.message).join("; ") : refusal.message);
    }
  }

  async remove() {
    element("delete-go").disabled = true;
    try {
      await ask("DELETE", `/api/v1/content/${this.content.content_id}`);
      this.deleted();
    } finally {
      element("delete-go").disabled = false;
      element("delete-dialog").close();
    }
  }

  tellGate(text) {
    element("gate-fault").textContent = text && sentence(text);
    element("gate-fault").hidden = !text;
  }
}
