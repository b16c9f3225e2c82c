// Keeps the inspector's list readable without a network. Fresh first, the last one seen otherwise; nothing else is kept.
const STORE = "beffroi-field-1";
const kept = (url) => url.origin === location.origin && (url.pathname === "/services/reports/terrain" || url.pathname.startsWith("/static/") || url.pathname.startsWith("/ville-"));

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => {
  if (event.data === "forget") event.waitUntil(caches.delete(STORE));
  if (event.data && event.data.keep) event.waitUntil(caches.open(STORE).then((store) => store.addAll(event.data.keep)));
});
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !kept(url)) return;
  event.respondWith(
    fetch(event.request).then((answer) => {
      if (answer.ok && !answer.redirected) {
        const copy = answer.clone();
        event.waitUntil(caches.open(STORE).then((store) => store.put(event.request, copy)));
      } else if (answer.status === 401 || answer.redirected) {
        event.waitUntil(caches.delete(STORE)); // signed out: nothing stays on the phone
      }
      return answer;
    }).catch(() => caches.match(event.request, { ignoreVary: true }).then((found) => found || Response.error())),
  );
});
