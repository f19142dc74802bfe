// A file that is dropped on the page never makes the browser leave it: one is taken where it belongs, and elsewhere it is
// said what to do. What is dropped on a field for files goes into that field.
const FIELD = "input[type=file]:enabled";

// `take(file)` is told of what is dropped on `zone`, `miss()` of what is dropped beside it.
export function catchFiles(zone, take, miss) {
  for (const name of ["dragenter", "dragover", "drop"]) {
    document.addEventListener(name, (event) => {
      const isOnZone = zone.contains(event.target);
      if (!event.dataTransfer?.types.includes("Files") || (!isOnZone && event.target.matches?.(FIELD))) return;
      event.preventDefault();
      if (name !== "drop") return;
      if (isOnZone) take(event.dataTransfer.files[0]);
      else miss();
    });
  }
}
