// Being told on this device: nothing happens, and no other host is called, before the button is pressed; then the
// browser asks once more. The page that ends a subscription is kept here, so that the button can end it too.
const box = document.querySelector("[data-push]");
const form = box.closest("form");
const [start, stop, said] = ["start", "stop", "said"].map((name) => box.querySelector(`[data-${name}]`));
const STORE = "beffroi-push"; // here by page; in the cache of this name for the service worker, which cannot read here
const read = () => { try { return JSON.parse(localStorage.getItem(STORE)) ?? {}; } catch { return {}; } };
const write = (kept) => { try { localStorage.setItem(STORE, JSON.stringify(kept)); } catch { /* private browsing keeps nothing */ } };
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const several = () => box.dataset.to.includes("/alertes/"); // around a point, one may ask again for another point

// What the service worker sends again when the browser changes the address that it is reached by.
async function hand(kept, endpoint) {
  const store = await caches.open(STORE);
  const stops = Object.values(kept).flat();
  if (!stops.length) return store.delete("/push");
  return store.put("/push", Response.json({ key: box.dataset.push, endpoint, stops }));
}

// The address may have changed while the network was away, or in a browser that says nothing of it.
async function mend() {
  const kept = read();
  const known = await (await (await caches.open(STORE)).match("/push"))?.json();
  if (!Object.keys(kept).length || Notification.permission !== "granted") return;
  const push = await subscription();
  if (known && known.endpoint !== push.endpoint) {
    const body = JSON.stringify({ stops: known.stops, push });
    const answer = await fetch("/signalements/appareil", { method: "POST", body, headers: { "Content-Type": "application/json" } });
    if (!answer.ok) return;
  }
  await hand(kept, push.endpoint);
}

function show(text = "") {
  const on = Boolean(read()[box.dataset.to]);
  start.hidden = on && !several();
  stop.hidden = !on;
  said.textContent = text;
}

async function post(to, body, { gone = false } = {}) {
  body.set("csrf", form.elements.namedItem("csrf").value);
  const answer = await fetch(to, { method: "POST", body, headers: { Accept: "application/json" } });
  if (answer.ok || (gone && answer.status === 404)) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Error([told.reason, told.mend].filter(Boolean).join(" "));
}

async function subscription() {
  await navigator.serviceWorker.register("/signaler.sw.js");
  const { pushManager } = await navigator.serviceWorker.ready;
  const key = bytes(box.dataset.push);
  const held = await pushManager.getSubscription();
  if (held && String(new Uint8Array(held.options.applicationServerKey)) === String(key)) return held;
  await held?.unsubscribe(); // it was another installation's
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

start.addEventListener("click", async () => {
  start.disabled = true;
  try {
    if (await Notification.requestPermission() !== "granted") return show(said.dataset.refused);
    const body = new URLSearchParams(new FormData(form));
    const push = await subscription();
    body.set("push", JSON.stringify(push));
    const { stop: page } = await (await post(box.dataset.to, body)).json();
    const before = read();
    const kept = { ...before, [box.dataset.to]: [...before[box.dataset.to] ?? [], page] };
    write(kept);
    await hand(kept, push.endpoint);
    show(said.dataset.on);
  } catch (error) {
    show(error.name === "Error" && error.message ? error.message : said.dataset.failed);
  } finally {
    start.disabled = false;
  }
});

stop.addEventListener("click", async () => {
  const { [box.dataset.to]: pages, ...rest } = read();
  try {
    for (const page of pages) await post(page, new URLSearchParams({ do: "stop" }), { gone: true }); // or ended already
    write(rest);
    await hand(rest, (await (await caches.open(STORE)).match("/push").then((held) => held?.json()))?.endpoint);
    if (!Object.keys(rest).length) await (await (await navigator.serviceWorker.getRegistration("/"))?.pushManager.getSubscription())?.unsubscribe();
    show(said.dataset.off);
  } catch {
    show(said.dataset.failed);
  }
});

if ("PushManager" in globalThis && "Notification" in globalThis && navigator.serviceWorker && isSecureContext) {
  box.hidden = false;
  show();
  mend().catch(() => {}); // the next page tries again
}
