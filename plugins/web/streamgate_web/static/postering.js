// What an owner does with the poster of a video: look at it, give a picture of their own, go back to one of the film.
import { ask, fetched } from "./ask.js";
import { sentence } from "./words.js";

const element = (id) => document.getElementById(id);
const LOOKED_EVERY_MS = 500;
const LOOKED_TIMES = 60;

export class Postering {
  // `changed()` is told when the dialog closes after something was done. `contentId` is of whom the dialog is, whatever
  // is chosen behind it. Each thing that is done, and the dialog's end, is another turn: what comes late of one before
  // is not shown, and does nothing more.
  constructor(changed) {
    [this.changed, this.content, this.contentId, this.isChanged, this.turn] = [changed, null, "", false, 0];
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

  async open() {
    this.isChanged = false;
    this.contentId = this.content.content_id;
    element("poster-form").reset();
    this.picture("", "Looking …");
    element("poster-dialog").showModal();
    await this.attempt(async (contentId, isMine) => {
      const poster = await now(contentId);
      if (isMine() && !element("poster-file").files.length) this.showNow(poster);
    });
  }

  closed() {
    this.turn += 1; // who waits for a picture waits no more
    if (this.isChanged) this.changed();
  }

  showNow(poster) {
    this.picture(poster?.data, poster ? "This is the poster now." : "There is no poster yet.");
  }

  async showChosen() {
    const [file] = element("poster-file").files;
    this.tell("");
    if (file) this.picture(await asData(file), "This is what you chose. It is not used yet.");
  }

  change(method, file) {
    return this.attempt(async (contentId, isMine) => {
      const [before, faults] = [await now(contentId), (await faultsOf(contentId)).length];
      if (!isMine()) return;
      const path = `/api/v1/stream/poster/${contentId}.jpg`;
      this.isChanged = true;
      await ask(method, path, undefined, { raw: file, type: file?.type || "image/jpeg" });
      if (!isMine()) return;
      element("poster-form").reset();
      if (method === "PUT") return void (await this.waitForOwn(contentId, isMine, before?.etag, faults));
      const poster = await now(contentId);
      if (isMine()) this.showNow(poster);
    });
  }

  // It is made anew before anybody is shown it. Meanwhile the film's may come, or be shown on.
  async waitForOwn(contentId, isMine, etag, faults) {
    element("poster-state").textContent = "It is being made …";
    for (let times = 0; times < LOOKED_TIMES; times += 1) {
      await new Promise((resolve) => setTimeout(resolve, LOOKED_EVERY_MS));
      if (!isMine()) return;
      const [poster, said] = await Promise.all([now(contentId), faultsOf(contentId)]).catch(unlessItMayPass);
      if (!isMine()) return;
      if (poster?.etag.startsWith('"own-') && poster.etag !== etag) return void this.showNow(poster);
      if (said?.length > faults) {
        this.showNow(poster);
        return void this.tell(`This picture is not used: ${said.at(-1).replace(/^poster: [a-z_.]+: /, "")}`);
      }
    }
    element("poster-state").textContent = "It has not come yet. It is shown once it is made; what is damaged is not used.";
  }

  picture(data, words) {
    const image = element("poster-now");
    image.hidden = !data;
    if (data) image.src = data;
    else image.removeAttribute("src");
    element("poster-state").textContent = words;
  }

  async attempt(act) {
    const mine = ++this.turn;
    const isMine = () => mine === this.turn;
    const buttons = [element("poster-give"), element("poster-film")];
    for (const button of buttons) button.disabled = true;
    this.tell("");
    try {
      await act(this.contentId, isMine);
    } catch (refusal) {
      if (isMine()) this.tell(refusal.message);
    } finally {
      if (isMine()) for (const button of buttons) button.disabled = false;
    }
  }

  tell(text) {
    element("poster-fault").textContent = text && sentence(text);
    element("poster-fault").hidden = !text;
  }
}

// The poster that is shown; null where there is none, or where it is on its way.
async function now(contentId) {
  const { poster_url: url } = await ask("GET", `/api/v1/content/${contentId}`);
  const found = url && (await fetched(url).catch((refusal) => (refusal.status === 404 ? null : Promise.reject(refusal))));
  return found ? { etag: found.etag, data: await asData(found.file) } : null;
}

function unlessItMayPass(refusal) {
  if (!refusal.mayPass) throw refusal;
  return [];
}

async function faultsOf(contentId) {
  const { warnings } = await ask("GET", `/api/v1/stream/info?content_id=${contentId}`);
  return warnings.filter((each) => each.startsWith("poster: "));
}

function asData(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
