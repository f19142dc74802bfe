// What an owner does with the captions of a video: add a file, and take one away.
import { ask } from "./ask.js";
import { sentence } from "./words.js";

const element = (id) => document.getElementById(id);

export class Captioning {
  // `changed()` is told when the dialog closes after something was done.
  constructor(changed) {
    [this.changed, this.content, this.isChanged] = [changed, null, false];
    element("change-captions").addEventListener("click", () => this.open());
    element("captions-close").addEventListener("click", () => element("captions-dialog").close());
    element("captions-dialog").addEventListener("close", () => this.isChanged && this.changed());
    element("captions-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.add();
    });
  }

  show(content) {
    this.content = content;
  }

  // --- inside ---------------------------------------------------------------------------------------

  get path() {
    return `/api/v1/stream/captions/${this.content.content_id}`;
  }

  async open() {
    this.isChanged = false;
    element("captions-list").replaceChildren();
    element("captions-form").reset();
    this.tell("");
    element("captions-dialog").showModal();
    await this.attempt(() => this.list());
  }

  async list() {
    const { captions } = await ask("GET", this.path);
    element("captions-list").replaceChildren(...captions.map((each) => this.row(each)));
  }

  row(each) {
    const row = document.createElement("li");
    const remove = document.createElement("button");
    const from = each.source === "file" ? ", found in the video" : "";
    row.textContent = `${each.label} (${each.language}${each.kind === "captions" ? ", with sounds" : ""}${from}) `;
    [remove.type, remove.className, remove.textContent] = ["button", "quiet", "Delete"];
    remove.setAttribute("aria-label", `Delete ${each.label}`);
    remove.addEventListener("click", () => this.change("DELETE", each.language, each.kind));
    row.append(remove);
    return row;
  }

  async add() {
    const kind = element("captions-sounds").checked ? "captions" : "subtitles";
    const done = await this.change("PUT", element("captions-language").value.trim(), kind, element("captions-file").files[0]);
    if (done) element("captions-form").reset();
  }

  change(method, language, kind, file) {
    return this.attempt(async () => {
      await ask(method, `${this.path}/${encodeURIComponent(language)}?kind=${kind}`, undefined, { raw: file });
      this.isChanged = true;
      await this.list();
    });
  }

  async attempt(act) {
    element("captions-add").disabled = true;
    this.tell("");
    try {
      await act();
      return true;
    } catch (refusal) {
      this.tell(refusal.fields?.length ? refusal.fields.map((each) => each.message).join("; ") : refusal.message);
      return false;
    } finally {
      element("captions-add").disabled = false;
    }
  }

  tell(text) {
    element("captions-fault").textContent = text && sentence(text);
    element("captions-fault").hidden = !text;
  }
}
