// The form and what it loads, from the network when there is one, else as last seen; and, for those who asked, what
// becomes of a report, as a notification.
const KEPT = "signaler-1";
const mine = (url) => url.origin === location.origin && (url.pathname === "/signaler" || url.pathname.startsWith("/static/"));
self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || !mine(url)) return;
  event.respondWith((async () => {
    const kept = await caches.open(KEPT);
    const key = url.pathname === "/signaler" ? "/signaler" : event.request;
    try {
      const fresh = await fetch(event.request);
      if (fresh.ok) await kept.put(key, fresh.clone());
      return fresh;
    } catch (error) {
      return (await kept.match(key)) ?? Response.error();
    }
  })());
});
self.addEventListener("push", (event) => {
  const { title, body, tag, lang, page, stop, stop_title } = event.data.json();
  const actions = stop ? [{ action: "stop", title: stop_title }] : [];
  event.waitUntil(self.registration.showNotification(title, { body, tag, lang, icon: "/static/favicon.svg", data: { page, stop }, actions }));
});
self.addEventListener("notificationclick", (event) => {
  const { page, stop } = event.notification.data;
  event.notification.close();
  event.waitUntil(self.clients.openWindow(event.action === "stop" ? stop : page));
});
// The browser is reached by another address now: the town is told, by the pages that end each subscription.
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil((async () => {
  const store = await caches.open("beffroi-push");
  const kept = await (await store.match("/push"))?.json();
  if (!kept) return;
  const bytes = Uint8Array.from(atob(kept.key.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const push = event.newSubscription ?? await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes });
  const body = JSON.stringify({ stops: kept.stops, push });
  const answer = await fetch("/signalements/appareil", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  if (answer.ok) await store.put("/push", Response.json({ ...kept, endpoint: push.endpoint }));
})()));
