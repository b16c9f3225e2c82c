// Figures and times as the page's language writes them, in the town's zone.
const lang = document.documentElement.lang === "en" ? "en-GB" : "fr-FR";

export const number = (value, decimals) =>
  new Intl.NumberFormat(lang, {
    minimumFractionDigits: decimals ?? 0,
    maximumFractionDigits: decimals ?? 6,
  }).format(value).replace("-", "−");

export const quantity = (value, unit, decimals) =>
  number(value, decimals) + (unit === "%" ? (lang === "fr-FR" ? "\u202f%" : "%") : unit ? `\u00a0${unit}` : "");

export const moment = (ms, timeZone) =>
  new Intl.DateTimeFormat(lang, {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone,
  }).format(ms).replace(" à ", ", ");

export const clock = (ms, timeZone) =>
  new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", timeZone }).format(ms);

export const day = (ms, timeZone, year = false) =>
  new Intl.DateTimeFormat(lang, { day: "numeric", month: "short", ...(year && { year: "numeric" }), timeZone }).format(ms);

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Calls back when the reader's light or dark changes, so that canvases follow.
export function onScheme(callback) {
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", callback);
  return () => query.removeEventListener("change", callback);
}
