// The inspector's list on a phone: kept for when there is no network, sorted by distance when the phone knows where it
// is, and deeds that are sent later when they cannot be sent now (each with a key, so that it is done once).
const STORE = "beffroi-field-deeds";
const box = document.querySelector("[data-offline]");
const words = JSON.parse(box.dataset.words);
const read = () => JSON.parse(localStorage.getItem(STORE) || "[]");
const write = (deeds) => localStorage.setItem(STORE, JSON.stringify(deeds));
const key = () => [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join("");

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

async function send() {
  let deeds = read();
  while (deeds.length && navigator.onLine) {
    const [deed] = deeds;
    let answer;
    try {
      // the page's own token: the one that was kept may be of an earlier sign-in
      const body = new URLSearchParams(deed.body);
      const token = document.querySelector("input[name=csrf]");
      if (token) body.set("csrf", token.value);
      answer = await fetch(deed.action, { method: "POST", body, headers: { Accept: "application/json" } });
    } catch {
      break; // still no network
    }
    if (answer.status === 401) break; // kept until someone signs in again
    deeds = deeds.slice(1);
    write(deeds);
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
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = new URLSearchParams(new FormData(form));
    body.set("do", event.submitter.value);
    body.set("key", key());
    write([...read(), { action: form.getAttribute("action"), body: body.toString() }]);
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
