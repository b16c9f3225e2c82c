// Figures that are being computed: the page is asked again until they are there. Without this file a link does it.
const EVERY_MS = 2000;

async function look() {
  const here = document.querySelector('[data-reckoning="running"]');
  if (!here) return;
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const now = page.querySelector("[data-reckoning]");
      if (!answer.ok || now?.dataset.reckoning !== "running") return location.reload();
      here.replaceWith(now);
    } catch {
      // the network is away: later
    }
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
