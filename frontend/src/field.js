// The inspector's list on a phone: kept for when there is no network, sorted by distance when the phone knows where it
// is, and deeds that are sent later when they cannot be sent now (each with a key, so that it is done once).
const STORE = "beffroi-field-deeds";
const box = document.querySelector("[data-offline]");
const words = JSON.parse(box.dataset.words);
const read = () => JSON.parse(localStorage.getItem(STORE) || "[]");
const write = (deeds) => localStorage.setItem(STORE, JSON.stringify(deeds));
const key = () => [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join("");

// Photos wait in IndexedDB, under the key of their deed: they are too heavy for where the deeds are kept.
const shelf = new Promise((found) => {
  const asked = indexedDB.open("beffroi-field", 1);
  asked.onupgradeneeded = () => asked.result.createObjectStore("photos");
  asked.onsuccess = () => found(asked.result);
  asked.onerror = () => found(null);
});
async function photos(mode, ask) {
  const store = (await shelf)?.transaction("photos", mode).objectStore("photos");
  if (!store) throw new Error("this browser keeps nothing");
  const asked = ask(store);
  return new Promise((done, failed) => { asked.onsuccess = () => done(asked.result); asked.onerror = () => failed(asked.error); });
}

// Drawn again at the size that is kept in the end: a photo of 8 MB must not wait for a network to be sent whole.
async function lighter(file) {
  try {
    const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
    const by = Math.min(1, 1600 / Math.max(picture.width, picture.height));
    const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(picture.width * by), height: Math.round(picture.height * by) });
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const made = await new Promise((then) => canvas.toBlob(then, "image/jpeg", 0.85));
    return made && made.size < file.size ? new File([made], "photo.jpg", { type: "image/jpeg" }) : file;
  } catch {
    return file; // a kind this browser does not read: the town may
  }
}

function say(text) {
  box.textContent = text;
  box.hidden = !text;
}

function state() {
  const n = read().length;
  const waiting = n ? words.waiting.replace("{n}", n) : "";
  say([navigator.onLine ? "" : words.offline, waiting].filter(Boolean).join(" "));
  for (const form of document.querySelectorAll("[data-field]")) {
    const kept = read().some((deed) => deed.action === form.getAttribute("action"));
    form.closest(".case").toggleAttribute("data-kept", kept);
  }
}

let sending = false;
async function send() {
  if (sending) return; // one at a time: the list is sent in its order
  sending = true;
  try {
    await sendAll();
  } finally {
    sending = false;
  }
}

async function sendAll() {
  let deeds = read();
  while (deeds.length && navigator.onLine) {
    const [deed] = deeds;
    let answer;
    try {
      // the page's own token: the one that was kept may be of an earlier sign-in
      const kept = new URLSearchParams(deed.body);
      const token = document.querySelector("input[name=csrf]");
      if (token) kept.set("csrf", token.value);
      let body = kept;
      if (deed.photos) {
        body = new FormData();
        for (const [name, value] of kept) body.append(name, value);
        for (const file of await photos("readonly", (store) => store.get(deed.photos)) ?? []) body.append("photo", file, file.name);
      }
      answer = await fetch(deed.action, { method: "POST", body, headers: { Accept: "application/json" } });
    } catch {
      break; // still no network
    }
    if (answer.status === 401) break; // kept until someone signs in again
    deeds = read().slice(1); // more may have come while this one was sent
    write(deeds);
    if (deed.photos) await photos("readwrite", (store) => store.delete(deed.photos));
    if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      say(words.refused.replace("{reason}", told.reason || answer.status));
      return;
    }
    if (!deeds.length) location.reload();
  }
  state();
}

for (const form of document.querySelectorAll("[data-field]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const sent = new FormData(form);
    const chosen = sent.getAll("photo").filter((file) => file.size);
    sent.delete("photo");
    const body = new URLSearchParams(sent);
    const name = key();
    body.set("do", event.submitter.value);
    body.set("key", name);
    const deed = { action: form.getAttribute("action"), body: body.toString() };
    if (chosen.length) {
      const files = await Promise.all(chosen.map(lighter));
      const kept = await photos("readwrite", (store) => store.put(files, name)).then(() => true, () => false);
      if (!kept) return say(words.unkept); // nothing is sent without its photo
      deed.photos = name;
    }
    form.reset();
    write([...read(), deed]);
    state();
    send();
  });
}

function nearest(where) {
  const list = document.querySelector(".field-list");
  const cases = [...document.querySelectorAll(".case[data-lon]")];
  const rad = Math.PI / 180;
  for (const one of cases) {
    const x = (one.dataset.lon - where.coords.longitude) * Math.cos(where.coords.latitude * rad);
    const away = Math.hypot(x, one.dataset.lat - where.coords.latitude) * 111195;
    one.away = away;
    one.querySelector("[data-away]").textContent = away < 950 ? `${Math.round(away / 10) * 10} m` : `${(away / 1000).toFixed(1)} km`;
  }
  if (!list.querySelector(".rank")) list.append(...cases.sort((a, b) => a.away - b.away));
}

addEventListener("online", send);
addEventListener("offline", state);
if (document.querySelector(".case[data-lon]") && navigator.geolocation) navigator.geolocation.getCurrentPosition(nearest, () => {}, { maximumAge: 60000 });
if (navigator.serviceWorker) {
  navigator.serviceWorker.register("/services/reports/terrain/worker.js", { scope: "/services/reports/terrain" }).then(async (registration) => {
    await navigator.serviceWorker.ready.catch(() => {});
    const keep = [location.href, ...[...document.querySelectorAll("link[rel=stylesheet], script[src]")].map((one) => one.href || one.src)];
    (registration.active || registration.waiting || registration.installing)?.postMessage({ keep });
  }).catch(() => {});
}
document.querySelector("form[action='/deconnexion']")?.addEventListener("submit", () => navigator.serviceWorker?.controller?.postMessage("forget"));
state();
send();
