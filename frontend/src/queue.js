// The desk of reports by keyboard: [data-queue] is a list of .case with tick boxes; any [data-key="x"] element is
// reached by that key. Keys are off inside fields, with Ctrl, Alt or Meta, and when the reader switched them off
// (WCAG 2.1.4). Without this file everything works by links and buttons.
const OFF = "beffroi-keys-off";
const form = document.querySelector("[data-queue]");
const cases = form ? [...form.querySelectorAll(".case")] : [];
const boxes = cases.map((item) => item.querySelector("[name=row]"));
const words = form ? JSON.parse(form.dataset.queue) : {};
const count = document.querySelector("[data-count]");
const keys = document.querySelector(".shortcuts");
const toggle = document.querySelector("[data-keys]");
let here = -1;
let last = -1;

const off = () => {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
};
const place = `beffroi-queue ${location.pathname}`;

function show() {
  const n = boxes.filter((box) => box.checked).length;
  if (count) count.textContent = n === 1 ? words.one : n ? words.chosen.replace("{n}", n) : "";
}

function go(to) {
  if (!cases.length) return;
  here = Math.max(0, Math.min(cases.length - 1, to));
  cases.forEach((item, n) => item.toggleAttribute("data-here", n === here));
  cases[here].querySelector("h2 a").focus({ preventScroll: true });
  cases[here].scrollIntoView({ block: "center" });
}

// A deed with nothing ticked is about the line where the reader is.
function aim() {
  if (here >= 0 && !boxes.some((box) => box.checked)) boxes[here].checked = true;
  show();
}

const LIST = {
  j: () => go(here + 1),
  k: () => go(here - 1),
  o: () => here >= 0 && cases[here].querySelector("h2 a").click(),
  x: () => {
    if (here < 0) return;
    boxes[here].checked = !boxes[here].checked;
    show();
  },
  a: () => {
    const all = boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = !all;
    show();
  },
};

function reach(target) {
  if (target.matches("summary")) {
    const details = target.parentElement;
    details.open = true;
    (details.querySelector("textarea, select, input:not([type=hidden])") || target).focus();
  } else if (target.matches("input")) {
    target.focus();
    target.select();
  } else {
    target.click();
  }
}

document.addEventListener("keydown", (event) => {
  const field = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape" && field) field.blur();
  if (field || event.ctrlKey || event.altKey || event.metaKey || off()) return;
  if (form && LIST[event.key]) {
    event.preventDefault();
    LIST[event.key]();
    return;
  }
  const target = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
  if (!target) return;
  event.preventDefault();
  if (form && form.contains(target)) aim();
  reach(target);
});

form?.addEventListener("click", (event) => {
  const n = boxes.indexOf(event.target);
  if (n < 0) return;
  if (event.shiftKey && last >= 0) {
    for (let i = Math.min(n, last); i <= Math.max(n, last); i += 1) boxes[i].checked = event.target.checked;
  }
  last = n;
  show();
});
form?.addEventListener("submit", () => sessionStorage.setItem(place, String(here)));
form?.addEventListener("focusin", (event) => {
  const item = event.target.closest(".case");
  if (item) here = cases.indexOf(item);
});

if (keys) keys.hidden = false;
if (toggle) {
  toggle.checked = !off();
  toggle.addEventListener("change", () => localStorage.setItem(OFF, toggle.checked ? "0" : "1"));
}
const before = Number(sessionStorage.getItem(place) ?? -1);
if (form && before >= 0) go(before);
sessionStorage.removeItem(place);
show();
