// The place of a record's form, for browsers with script: pointed at or drawn on the town's map, written into the form's own
// fields, which stay there to be read and mended. A press (or Enter, for the middle) adds a corner.
const say = document.querySelector("[data-placing]").dataset;
const input = (name) => document.getElementById(`f-${name}`);
const text = input("geojson");
const number = (value) => value.toFixed(6).replace(".", document.documentElement.lang === "fr" ? "," : ".");
const read = (name) => Number.parseFloat(input(name).value.replace(",", "."));
const box = Object.assign(document.createElement("p"), { className: "actions" });
(text ?? input("latitude")).closest(".field").append(box);

function button(words, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "button quiet", textContent: words });
  made.addEventListener("click", act);
  box.append(made);
}

// The corners of what the form holds, none when it is more than one line or outline.
function corners() {
  if (!text) return [[read("longitude"), read("latitude")]].filter((at) => at.every(Number.isFinite));
  try {
    const { type, coordinates } = JSON.parse(text.value);
    return { Point: () => [coordinates], LineString: () => coordinates, Polygon: () => coordinates[0].slice(0, -1) }[type]?.() ?? [];
  } catch {
    return [];
  }
}

function write(path) {
  const at = path.map((point) => point.map((value) => Number(value.toFixed(6))));
  if (!text) {
    [input("longitude").value, input("latitude").value] = path.length ? path.at(-1).map(number) : ["", ""];
  } else if (say.placing === "polygon") {
    text.value = at.length > 2 ? JSON.stringify({ type: "Polygon", coordinates: [[...at, at[0]]] }) : "";
  } else {
    const alone = say.placing === "any" && at.length === 1;
    text.value = alone ? JSON.stringify({ type: "Point", coordinates: at[0] }) : at.length > 1 ? JSON.stringify({ type: "LineString", coordinates: at }) : "";
  }
}

button(text ? say.draw : say.point, async ({ target }) => {
  target.disabled = true;
  await import(say.mapJs);
  const figure = Object.assign(document.createElement("figure"), { className: "map small" });
  const map = document.createElement("beffroi-map");
  const path = corners();
  Object.assign(map.dataset, { title: say.draw, words: say.words, pick: text ? say.placing : "", path: JSON.stringify(path) });
  if (say.base) map.dataset.base = say.base;
  if (say.box && !path.length) map.dataset.box = say.box;
  map.addEventListener("pick", ({ detail }) => write(text ? detail : [detail]));
  figure.append(map);
  box.after(figure);
  if (text) {
    button(say.back, () => map.back());
    button(say.clear, () => map.back(0));
  }
});
