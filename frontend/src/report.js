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
if (say.riddle && globalThis.crypto?.subtle) prove();
if (navigator.serviceWorker && isSecureContext) navigator.serviceWorker.register("/signaler.sw.js").catch(() => {});
