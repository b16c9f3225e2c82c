// Values that arrive while one reads: every [data-live="datastream id"] on the page follows one event stream.
// The browser reconnects by itself and names the last event it had (Last-Event-ID), so nothing is lost.
import { clock, moment, number } from "./words.js";

const figures = [...document.querySelectorAll("[data-live]")];
const ids = [...new Set(figures.map((figure) => figure.dataset.live))];
let source;

function follow() {
  if (source || document.hidden || !ids.length) return;
  const from = document.documentElement.dataset.seq;
  source = new EventSource(`/live?datastreams=${ids.join(",")}${from ? `&after=${from}` : ""}`);
  source.addEventListener("observation", (event) => {
    document.documentElement.dataset.seq = event.lastEventId;
    show(JSON.parse(event.data));
  });
}

function rest() {
  source?.close();
  source = undefined;
}

function show({ datastream, value, at, text }) {
  for (const figure of figures.filter((f) => f.dataset.live === String(datastream))) {
    const decimals = figure.dataset.decimals;
    const said = value === null ? text : number(value, decimals ? Number(decimals) : undefined);
    if (figure.firstChild.nodeType === Node.TEXT_NODE) figure.firstChild.data = said;
    else figure.prepend(said);
    delete figure.dataset.fresh;
    void figure.offsetWidth; // the fade starts again
    figure.dataset.fresh = "";
  }
  for (const age of document.querySelectorAll(`[data-age="${datastream}"] time`)) {
    age.dateTime = at;
    age.title = moment(Date.parse(at));
    age.textContent = clock(Date.parse(at));
  }
}

document.addEventListener("visibilitychange", () => (document.hidden ? rest() : follow()));
addEventListener("pagehide", rest);
follow();
