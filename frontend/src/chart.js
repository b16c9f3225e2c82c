// <beffroi-chart data-url data-unit data-title data-zone>: draws over the server's SVG a chart with a cursor
// and exact values (pointer or arrow keys). The SVG stays until it is drawn, and when anything fails.
import uPlot from "uplot";
import { clock, colour, day, moment, number, onScheme, quantity } from "./words.js";

const HEIGHT = 280;
const DAY = 86_400;

class Chart extends HTMLElement {
  connectedCallback() {
    if (!this.dataset.url) return;
    this.seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.seen.disconnect();
      this.load();
    }, { rootMargin: "200px" });
    this.seen.observe(this);
  }

  disconnectedCallback() {
    this.seen?.disconnect();
    this.sized?.disconnect();
    this.scheme?.();
    this.plot?.destroy();
  }

  async load() {
    const answer = await fetch(this.dataset.url, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    this.series = await answer.json();
    if (!this.series.values.length) return;
    this.draw();
    this.scheme = onScheme(() => this.draw());
    this.sized = new ResizeObserver(() => this.plot?.setSize({ width: this.clientWidth, height: HEIGHT }));
    this.sized.observe(this);
    this.tabIndex = 0;
    this.setAttribute("role", "img");
    this.setAttribute("aria-label", this.dataset.title);
    this.addEventListener("keydown", (event) => this.step(event));
    this.dataset.ready = "";
  }

  draw() {
    this.plot?.destroy();
    const box = document.createElement("div");
    this.readout ??= Object.assign(document.createElement("output"), { className: "readout" });
    this.plot = new uPlot(this.options(), [this.series.times, this.series.values], box);
    this.replaceChildren(this.readout, box);
    this.say(null);
  }

  options() {
    const { thresholds, bands, start, end } = this.series;
    const { unit, zone } = this.dataset;
    const ink = colour("--soft");
    const line = colour("--line");
    const font = "13px system-ui, sans-serif";
    const near = thresholds.filter((level) => level.near);
    return {
      width: this.clientWidth, height: HEIGHT, padding: [16, 24, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      legend: { show: false },
      cursor: { y: false, points: { size: 9 }, drag: { x: true, y: false, setScale: true } },
      scales: {
        x: { min: start, max: end },
        y: { range: (_, low, high) => uPlot.rangeNum(Math.min(low, ...near.map((l) => l.value)), Math.max(high, ...near.map((l) => l.value)), 0.08, true) },
      },
      axes: [
        { stroke: ink, font, grid: { show: false }, ticks: { stroke: line, width: 1, size: 6 }, size: 34, space: 90, values: (_, marks) => marks.map((t) => this.mark(t)) },
        { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 56, values: (_, marks) => marks.map((v, i) => (i === marks.length - 1 ? quantity(v, unit) : number(v))) },
      ],
      series: [{}, { stroke: colour("--accent"), width: 1.75, spanGaps: false, points: { show: false } }],
      hooks: {
        drawClear: [(plot) => bands.forEach((band) => shade(plot, band))],
        draw: [(plot) => near.forEach((level) => threshold(plot, level)), (plot) => this.series.doubtful.forEach((point) => doubt(plot, point))],
        setCursor: [(plot) => this.say(plot.cursor.idx)],
      },
    };
  }

  mark(seconds) {
    const { zone } = this.dataset;
    const span = this.plot ? this.plot.scales.x.max - this.plot.scales.x.min : this.series.end - this.series.start;
    const hour = clock(seconds * 1000, zone);
    if (span > 200 * DAY) return day(seconds * 1000, zone, true);
    if (span > 2 * DAY) return hour === "00:00" || span > 8 * DAY ? day(seconds * 1000, zone) : hour;
    return hour;
  }

  say(index) {
    const { times, values, decimals } = this.series;
    let at = index ?? times.length - 1;
    while (at > 0 && values[at] === null) at -= 1;
    if (values[at] === null) return;
    this.readout.textContent = `${moment(times[at] * 1000, this.dataset.zone)} · ${quantity(values[at], this.dataset.unit, decimals)}`;
  }

  step(event) {
    const jump = { ArrowLeft: -1, ArrowRight: 1, PageUp: -24, PageDown: 24, Home: -Infinity, End: Infinity }[event.key];
    if (jump === undefined) return;
    event.preventDefault();
    const last = this.series.times.length - 1;
    const from = this.plot.cursor.idx ?? last;
    const to = Math.max(0, Math.min(last, from + jump));
    this.plot.setCursor({ left: this.plot.valToPos(this.series.times[to], "x"), top: 10 });
  }
}

function shade(plot, [from, to]) {
  const { ctx, bbox } = plot;
  const left = Math.max(bbox.left, plot.valToPos(from, "x", true));
  const right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
  if (right <= left) return;
  ctx.save();
  ctx.globalAlpha = 0.6;
  ctx.fillStyle = colour("--wash");
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.restore();
}

function threshold(plot, { value, label, severity }) {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(value, "y", true);
  ctx.save();
  ctx.strokeStyle = colour(severity ? `--mark-${severity}` : "--soft");
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.fillStyle = colour("--ink");
  ctx.font = `600 ${13 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.fillText(label, bbox.left + 6 * devicePixelRatio, y - 5 * devicePixelRatio);
  ctx.restore();
}

// A doubtful value: a lone mark, at the edge when it is out of the scale.
function doubt(plot, [time, value]) {
  const { ctx, bbox } = plot;
  const x = plot.valToPos(time, "x", true);
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  const y = Math.min(bbox.top + bbox.height, Math.max(bbox.top, plot.valToPos(value, "y", true)));
  ctx.save();
  ctx.beginPath();
  ctx.arc(x, y, 3 * devicePixelRatio, 0, 2 * Math.PI);
  ctx.strokeStyle = colour("--mark-orange");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.stroke();
  ctx.restore();
}

customElements.define("beffroi-chart", Chart);
