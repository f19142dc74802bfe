"""Scripts of the page by themselves, in a browser as far as they look at one, where time passes at once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import streamgate_web

STATIC = Path(streamgate_web.__file__).parent / "static"

# `page`: its elements by id. `asked`: what the server was, in order. A scene gives `server(method, path)`, what it
# answers: `said(body, status, headers)`.
BROWSER = """
const page = {}, asked = [];
const make = () => ({
  hidden: false, disabled: false, dataset: {}, textContent: "", value: "", files: [], inside: [], on: {},
  addEventListener(name, act) { this.on[name] = act; }, removeAttribute() {}, setAttribute() {}, focus() {}, reset() {},
  append(...all) { this.inside.push(...all); }, replaceChildren(...all) { this.inside = all; }, contains: () => false,
  querySelector: make, querySelectorAll: () => [], classList: { add() {}, remove() {}, toggle() {} },
  showModal() {}, close() { this.on.close?.(); } });
const said = (body, status = 200, headers = {}) => new Response(JSON.stringify(body), { status, headers });
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const until = async (holds) => { while (!holds()) await settled(); };
let server = null;
globalThis.document = { getElementById: (id) => (page[id] ??= make()), createElement: make };
globalThis.window = { addEventListener() {} };
globalThis.localStorage = { setItem() {}, removeItem() {} };
Object.defineProperty(globalThis, "navigator", { value: {} });
globalThis.setTimeout = (act) => setImmediate(act);
globalThis.clearTimeout = clearImmediate;
globalThis.FileReader = class {
  addEventListener(name, act) { this[name] = act; }
  readAsDataURL(file) { file.text().then((text) => { this.result = text; this.load(); }); }
};
globalThis.fetch = async (path, { method }) => (asked.push(`${method} ${path}`), server(method, path));
const { signedIn } = await import("./access.js");
signedIn({ access_token: "t", user_id: "p_1", address: "0x1", roles: ["creator"] });
"""


async def run(folder: Path, scene: str) -> Any:
    """What the scene's `found` is at its end."""
    (folder / "package.json").write_text('{"type": "module"}')
    for script in STATIC.glob("*.js"):
        (folder / script.name).write_text(script.read_text())
    (folder / "scene.js").write_text(f"{BROWSER}{scene}\nconsole.log(JSON.stringify(found));\nprocess.exit(0);\n")
    node = await asyncio.create_subprocess_exec(
        "node", str(folder / "scene.js"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        heard, faults = await asyncio.wait_for(node.communicate(), 30)
    finally:
        if node.returncode is None:  # it waits for what never comes
            node.kill()
    assert node.returncode == 0, faults.decode()
    return json.loads(heard)
