// What an owner does with the poster of a video: look at it, give a picture of their own, go back to one of the film.
import { ask, fetched } from "./ask.js";
import { sentence } from "./words.js";

const element = (id) => document.getElementById(id);
const LOOKED_EVERY_MS = 500;
const LOOKED_TIMES = 60;

export class Postering {
  // `changed()` is told when the dialog closes after something was done.
  constructor(changed) {
    [this.changed, this.content, this.isChanged, this.turn] = [changed, null, false, 0];
    element("change-poster").addEventListener("click", () => this.open());
    element("poster-close").addEventListener("click", () => element("poster-dialog").close());
    element("poster-dialog").addEventListener("close", () => this.closed());
    element("poster-file").addEventListener("change", () => this.showChosen());
    element("poster-film").addEventListener("click", () => this.change("DELETE"));
    element("poster-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.change("PUT", element("poster-file").files[0]);
    });
  }

  show(content) {
    this.content = content;
  }

  // --- inside ---------------------------------------------------------------------------------------

  get path() {
    return `/api/v1/stream/poster/${this.content.content_id}.jpg`;
  }

  async open() {
    this.isChanged = false;
    element("poster-form").reset();
    this.tell("");
    await this.picture(null, "Looking …");
    element("poster-dialog").showModal();
    await this.attempt(async () => this.showNow(await this.now()));
  }

  closed() {
    this.turn += 1; // who waits for a picture waits no more
    if (this.isChanged) this.changed();
  }

  // The poster that is shown; null where there is none.
  async now() {
    const content = await ask("GET", `/api/v1/content/${this.content.content_id}`);
    return content.poster_url ? fetched(content.poster_url) : null;
  }

  showNow(poster) {
    return this.picture(poster?.file, poster ? "This is the poster now." : "There is no poster yet.");
  }

  async showChosen() {
    const [file] = element("poster-file").files;
    this.tell("");
    if (file) await this.picture(file, "This is what you chose. It is not used yet.");
  }

  change(method, file) {
    return this.attempt(async () => {
      const before = await this.now();
      const faults = (await this.faults()).length;
      await ask(method, this.path, undefined, { raw: file, type: file?.type || "image/jpeg" });
      this.isChanged = true;
      element("poster-form").reset();
      if (method === "DELETE") await this.showNow(await this.now());
      else await this.waitForAnother(before?.etag, faults);
    });
  }

  // It is made anew before anybody is shown it.
  async waitForAnother(etag, faults) {
    const mine = ++this.turn;
    element("poster-state").textContent = "It is being made …";
    for (let times = 0; times < LOOKED_TIMES; times += 1) {
      await new Promise((resolve) => setTimeout(resolve, LOOKED_EVERY_MS));
      if (mine !== this.turn) return;
      const poster = await this.now();
      if (poster && poster.etag !== etag) return void (await this.showNow(poster));
      const said = await this.faults();
      if (said.length > faults) {
        await this.showNow(poster);
        return void this.tell(`This picture is not used: ${said.at(-1).replace(/^poster: [a-z_.]+: /, "")}`);
      }
    }
    element("poster-state").textContent = "It takes longer than usual. It is shown as soon as it is made.";
  }

  async faults() {
    const { warnings } = await ask("GET", `/api/v1/stream/info?content_id=${encodeURIComponent(this.content.content_id)}`);
    return warnings.filter((each) => each.startsWith("poster: "));
  }

  async picture(file, words) {
    const image = element("poster-now");
    image.hidden = !file;
    if (file) image.src = await asData(file);
    else image.removeAttribute("src");
    element("poster-state").textContent = words;
  }

  async attempt(act) {
    const buttons = [element("poster-give"), element("poster-film")];
    for (const button of buttons) button.disabled = true;
    this.tell("");
    try {
      await act();
    } catch (refusal) {
      this.tell(refusal.message);
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  tell(text) {
    element("poster-fault").textContent = text && sentence(text);
    element("poster-fault").hidden = !text;
  }
}

function asData(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
