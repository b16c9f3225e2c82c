// The form of reports, for browsers with script: a draft kept on the telephone, the position, a point on the map,
// the questions of the chosen category, and the proof of work that is asked when many forms come from one network.
const form = document.querySelector("form[data-report]");
const KEY = "beffroi-report";
const KEPT = ["category", "place", "description", "mail", "phone", "name", "postal", "lon", "lat", "asset", "channel", "kind"];
const say = form.dataset;
const field = (name) => form.elements.namedItem(name);

function status(text, ...more) {
  const line = form.querySelector("[data-status]") ?? form.insertBefore(Object.assign(document.createElement("p"), { className: "notice" }), form.firstChild);
  line.dataset.status = "";
  line.setAttribute("role", "status");
  line.replaceChildren(text, ...more);
}

const store = {
  read() { try { return JSON.parse(localStorage.getItem(KEY)); } catch { return null; } },
  write(values) { try { localStorage.setItem(KEY, JSON.stringify(values)); } catch { /* private browsing keeps nothing */ } },
  forget() { try { localStorage.removeItem(KEY); } catch { /* nothing was kept */ } },
};

function keep() {
  const values = Object.fromEntries(KEPT.map((name) => [name, field(name)?.value ?? ""]));
  if (values.place || values.description) store.write({ at: Date.now(), values });
}

function restore() {
  const kept = store.read();
  if (!kept || Date.now() - kept.at > 7 * 864e5) return store.forget();
  if (field("place").value || field("description").value) return;
  for (const [name, value] of Object.entries(kept.values)) {
    const input = field(name);
    if (input && value && !input.value) input.value = value;
    if (name === "category" && value && [...input.options].some((o) => o.value === value)) input.value = value;
  }
  const forget = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: say.forget });
  forget.addEventListener("click", () => { store.forget(); location.reload(); });
  status(say.kept, " ", forget);
}

function place() {
  const box = document.createElement("p");
  box.className = "actions";
  const button = (text, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "button quiet", textContent: text });
    made.addEventListener("click", act);
    box.append(made);
  };
  if (navigator.geolocation && isSecureContext) {
    button(say.position, () => navigator.geolocation.getCurrentPosition(
      ({ coords }) => { point(coords.longitude, coords.latitude); status(say.positioned); },
      () => status(say.unpositioned), { enableHighAccuracy: true, timeout: 15000 }));
  }
  if (say.mapJs) button(say.choose, () => choose(box));
  field("place").closest(".field").after(box);
}

function point(lon, lat) {
  field("lon").value = lon.toFixed(6);
  field("lat").value = lat.toFixed(6);
  keep();
}

async function choose(after) {
  if (form.querySelector("beffroi-map")) return;
  await import(say.mapJs);
  const figure = Object.assign(document.createElement("figure"), { className: "map small" });
  const map = document.createElement("beffroi-map");
  Object.assign(map.dataset, { url: "/signalements.geojson", title: say.choose, words: say.words, pick: "" });
  if (say.base) map.dataset.base = say.base;
  if (say.box) map.dataset.box = say.box;
  map.addEventListener("pick", ({ detail }) => { point(...detail); status(say.chosen); });
  figure.append(map);
  after.after(figure);
}

// A photo first: one button takes it before anything is written, and where it was taken is proposed. That is read here;
// the town hall cuts it out of the photo before it keeps anything.
function photo() {
  const input = field("photo");
  const box = input.closest(".field");
  const shown = Object.assign(document.createElement("p"), { className: "previews" });
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button quiet", textContent: say.photo });
  const line = Object.assign(document.createElement("p"), { className: "actions" });
  line.append(button);
  form.querySelector(".field").before(line);
  button.addEventListener("click", () => { line.after(box); input.click(); });
  box.append(shown);
  input.addEventListener("change", async () => {
    shown.replaceChildren(...[...input.files].slice(0, 4).map((file) => Object.assign(new Image(), { src: URL.createObjectURL(file), alt: "", width: 96 })));
    if (field("lon").value || field("place").value || !input.files.length) return;
    const at = placeIn(await input.files[0].slice(0, 1 << 18).arrayBuffer());
    const inside = at && (!say.box || say.box.split(",").every((edge, n) => (n < 2 ? at[n] >= edge : at[n - 2] <= edge)));
    if (!inside) return;
    point(...at);
    status(say.photographed);
    field("place").addEventListener("input", () => { field("lon").value = field("lat").value = ""; }, { once: true }); // the words are right
  });
}

// Longitude and latitude in the EXIF of a JPEG (EXIF 2.32, 4.6.6), null when it tells none.
function placeIn(buffer) {
  try {
    const view = new DataView(buffer);
    for (let at = 2; view.getUint16(0) === 0xffd8 && view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
      if (view.getUint16(at) !== 0xffe1 || view.getUint32(at + 4) !== 0x45786966) continue; // "Exif"
      const base = at + 10;
      const small = view.getUint16(base) === 0x4949;
      const four = (n) => view.getUint32(base + n, small);
      const entry = (directory, tag) => {
        const count = view.getUint16(base + directory, small);
        return [...Array(count).keys()].map((n) => directory + 2 + 12 * n).find((n) => view.getUint16(base + n, small) === tag);
      };
      const gps = four(entry(four(4), 0x8825) + 8);
      const degrees = (tag, negative) => {
        const [one, parts] = [entry(gps, tag), four(entry(gps, tag + 1) + 8)];
        const value = [0, 1, 2].reduce((sum, n) => sum + four(parts + 8 * n) / four(parts + 8 * n + 4) / 60 ** n, 0);
        return String.fromCharCode(view.getUint8(base + one + 8)) === negative ? -value : value;
      };
      const found = [degrees(3, "W"), degrees(1, "S")];
      return found.every(Number.isFinite) ? found : null;
    }
  } catch {
    // what is cut short or made up tells no place
  }
  return null;
}

async function prove() {
  const mark = field("start").value;
  for (let n = 0; n < 40000; n += 1) {
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(mark + n));
    if ([...new Uint8Array(hash)].map((b) => b.toString(16).padStart(2, "0")).join("") === say.riddle) {
      field("proof").value = n;
      return;
    }
  }
}

form.addEventListener("input", keep);
form.addEventListener("submit", (event) => {
  if (navigator.onLine) return;
  event.preventDefault();
  keep();
  status(say.offline);
});
field("category").addEventListener("change", ({ target }) => {
  const more = target.selectedOptions[0]?.dataset.more;
  if (!more) return;
  keep();
  const url = new URL(location.href);
  url.searchParams.set("categorie", more);
  location.assign(url);
});
addEventListener("online", () => status(say.kept));
restore();
place();
photo();
if (say.riddle && globalThis.crypto?.subtle) prove();
if (navigator.serviceWorker && isSecureContext) navigator.serviceWorker.register("/signaler.sw.js").catch(() => {});
