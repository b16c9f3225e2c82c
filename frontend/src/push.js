// Being told on this device: nothing happens, and no other host is called, before the button is pressed; then the
// browser asks once more. The page that ends a subscription is kept here, so that the button can end it too.
const box = document.querySelector("[data-push]");
const form = box.closest("form");
const [start, stop, said] = ["start", "stop", "said"].map((name) => box.querySelector(`[data-${name}]`));
const STORE = "beffroi-push";
const read = () => { try { return JSON.parse(localStorage.getItem(STORE)) ?? {}; } catch { return {}; } };
const write = (kept) => { try { localStorage.setItem(STORE, JSON.stringify(kept)); } catch { /* private browsing keeps nothing */ } };
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const several = () => box.dataset.to.includes("/alertes/"); // around a point, one may ask again for another point

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
    body.set("push", JSON.stringify(await subscription()));
    const { stop: page } = await (await post(box.dataset.to, body)).json();
    const kept = read();
    write({ ...kept, [box.dataset.to]: [...kept[box.dataset.to] ?? [], page] });
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
    if (!Object.keys(rest).length) await (await (await navigator.serviceWorker.getRegistration("/"))?.pushManager.getSubscription())?.unsubscribe();
    show(said.dataset.off);
  } catch {
    show(said.dataset.failed);
  }
});

if ("PushManager" in globalThis && "Notification" in globalThis && navigator.serviceWorker && isSecureContext) {
  box.hidden = false;
  show();
}
