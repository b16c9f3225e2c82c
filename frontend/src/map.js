// <beffroi-map data-url data-base data-box data-words>: the town's features on its own base map (canvas, no WebGL).
// The server's drawing stays until the first frame is complete. A list [data-map-list] and a legend
// [data-map-legend] on the same page are kept in step with what the map shows.
import Feature from "ol/Feature.js";
import Map from "ol/Map.js";
import View from "ol/View.js";
import { defaults as controls } from "ol/control/defaults.js";
import { containsCoordinate } from "ol/extent.js";
import GeoJSON from "ol/format/GeoJSON.js";
import MVT from "ol/format/MVT.js";
import LineString from "ol/geom/LineString.js";
import Point from "ol/geom/Point.js";
import Polygon from "ol/geom/Polygon.js";
import { defaults as interactions } from "ol/interaction/defaults.js";
import VectorLayer from "ol/layer/Vector.js";
import VectorTileLayer from "ol/layer/VectorTile.js";
import { fromLonLat, toLonLat, transformExtent } from "ol/proj.js";
import Cluster from "ol/source/Cluster.js";
import VectorSource from "ol/source/Vector.js";
import VectorTileSource from "ol/source/VectorTile.js";
import { PMTiles } from "pmtiles";
import { baseStyle, markStyle } from "./marks.js";
import { number, onScheme } from "./words.js";

const FRANCE = [-5.2, 41.3, 9.6, 51.1];
const LISTED = 100;
const SHAPES = { vert: "●", jaune: "▲", orange: "◆", rouge: "■" };
const level = (feature) => Object.keys(SHAPES).indexOf(feature.get("severity"));
const element = (tag, values) => Object.assign(document.createElement(tag), values);

class TownMap extends HTMLElement {
  connectedCallback() {
    this.words = JSON.parse(this.dataset.words || "{}");
    this.seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.seen.disconnect();
      this.draw();
    }, { rootMargin: "200px" });
    this.seen.observe(this);
  }

  disconnectedCallback() {
    this.seen.disconnect();
    this.scheme?.();
    this.map?.setTarget(undefined);
  }

  async draw() {
    this.features = new VectorSource();
    this.marks = new VectorLayer({
      source: new Cluster({ source: this.features, distance: this.dataset.pick ? 0 : 34, geometryFunction: (f) => (f.get("bare") ? null : anchor(f)) }),
      style: (feature) => markStyle(feature, this.chosen),
      zIndex: 3,
    });
    this.shapes = new VectorLayer({ source: this.features, style: (f) => (f.getGeometry().getType() === "Point" ? null : markStyle(f)), zIndex: 2 });
    const box = document.createElement("div");
    box.className = "canvas";
    const fallback = [...this.children];
    this.append(box);
    const layers = [...(await this.base()), this.shapes, this.marks];
    if (this.dataset.url) await this.load();
    if (this.dataset.path) this.drawn(JSON.parse(this.dataset.path).map((at) => fromLonLat(at)));
    this.map = new Map({
      target: box,
      layers,
      view: new View({ maxZoom: 19, enableRotation: false }),
      controls: controls({ attribution: false, rotate: false, zoomOptions: { zoomInTipLabel: this.words.in, zoomOutTipLabel: this.words.out } }),
      interactions: interactions({ altShiftDragRotate: false, pinchRotate: false }),
    });
    this.place();
    this.map.once("rendercomplete", () => {
      fallback.forEach((element) => element.remove());
      box.classList.add("ready");
      this.dataset.ready = "";
    });
    this.listen(box);
    this.scheme = onScheme(() => this.map.getLayers().forEach((layer) => layer.changed()));
  }

  async base() {
    const url = this.dataset.base;
    if (!url) return [];
    if (url.includes(".geojson")) {
      return [new VectorLayer({ source: new VectorSource({ url, format: new GeoJSON() }), style: baseStyle, zIndex: 0, declutter: "base" })];
    }
    const tiles = new PMTiles(new URL(url, location.href).href);
    const header = await tiles.getHeader();
    const source = new VectorTileSource({ format: new MVT(), maxZoom: header.maxZoom, minZoom: header.minZoom, tileUrlFunction: (zxy) => zxy.join("/") });
    source.setTileLoadFunction((tile, zxy) => {
      tile.setLoader(async (extent, _, projection) => {
        const [z, x, y] = zxy.split("/").map(Number);
        const found = await tiles.getZxy(z, x, y).catch(() => undefined);
        tile.setFeatures(found ? tile.getFormat().readFeatures(found.data, { extent, featureProjection: projection }) : []);
      });
    });
    // Far out, its least zoom would mean hundreds of thousands of tiles: then there is no base map.
    return [new VectorTileLayer({ source, style: baseStyle, declutter: "base", zIndex: 0, renderBuffer: 64, minZoom: Math.max(0, header.minZoom - 2) })];
  }

  async load(bbox) {
    const url = new URL(this.dataset.url, location.href);
    if (bbox) url.searchParams.set("bbox", bbox.map((n) => n.toFixed(5)).join(","));
    const answer = await fetch(url);
    if (!answer.ok) return;
    const collection = await answer.json();
    this.truncated = collection.truncated === true;
    const read = new GeoJSON().readFeatures(collection, { featureProjection: "EPSG:3857" });
    this.features.clear(true);
    this.features.addFeatures(read);
  }

  place() {
    const view = this.map.getView();
    const [, zoom, lat, lon] = location.hash.match(/^#carte=([\d.]+)\/(-?[\d.]+)\/(-?[\d.]+)$/) || [];
    if (zoom && !this.closest(".small")) {
      view.setCenter(fromLonLat([Number(lon), Number(lat)]));
      view.setZoom(Number(zoom));
      return;
    }
    const given = this.dataset.box && transformExtent(this.dataset.box.split(",").map(Number), "EPSG:4326", "EPSG:3857");
    const extent = given || (this.features.isEmpty() ? undefined : this.features.getExtent());
    view.fit(extent ?? transformExtent(FRANCE, "EPSG:4326", "EPSG:3857"), { padding: [24, 24, 24, 24], maxZoom: 17, size: this.map.getSize() });
  }

  listen(box) {
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", `${this.dataset.title}. ${this.words.help}`);
    this.map.on("moveend", () => this.moved());
    this.map.on("pointermove", (event) => {
      box.style.cursor = !event.dragging && this.map.hasFeatureAtPixel(event.pixel, { layerFilter: (l) => l === this.marks }) ? "pointer" : "";
    });
    this.map.on("click", (event) => this.press(event));
    if ("pick" in this.dataset) box.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), this.pick(this.map.getView().getCenter())));
    const list = document.querySelector("[data-map-list]");
    for (const type of ["mouseover", "focusin"]) list?.addEventListener(type, (event) => this.point(event.target.closest("[data-feature]")?.dataset.feature));
    const legend = document.querySelector("[data-map-legend]");
    legend?.addEventListener("change", () => this.filter());
    for (const button of legend?.querySelectorAll("button") ?? []) button.hidden = true;
  }

  async moved() {
    const view = this.map.getView();
    const extent = view.calculateExtent(this.map.getSize());
    if (this.truncated) await this.load(transformExtent(extent, "EPSG:3857", "EPSG:4326"));
    this.inStep(extent);
    if (this.closest(".small")) return;
    const [lon, lat] = toLonLat(view.getCenter());
    history.replaceState(null, "", `#carte=${view.getZoom().toFixed(1)}/${lat.toFixed(5)}/${lon.toFixed(5)}`);
  }

  // The list beside the map says what the map shows, the gravest first.
  inStep(extent = this.map.getView().calculateExtent(this.map.getSize())) {
    const list = document.querySelector("[data-map-list]");
    if (!list) return;
    const visible = this.features.getFeatures().filter((f) => containsCoordinate(extent, anchor(f).getCoordinates()));
    visible.sort((a, b) => level(b) - level(a) || a.get("name").localeCompare(b.get("name")));
    list.replaceChildren(...visible.slice(0, LISTED).map((f) => this.item(f)));
    for (const left of document.querySelectorAll("[data-map-rest]")) left.hidden = true;
    if (visible.length > LISTED) list.append(element("li", { className: "about", textContent: this.words.more.replace("{n}", LISTED) }));
    for (const said of document.querySelectorAll("[data-map-count]")) said.textContent = [said.dataset.none, said.dataset.one, said.dataset.many][Math.min(2, visible.length)].replace("{n}", number(visible.length));
  }

  item(feature) {
    const { name, href, severity, note, kind } = feature.getProperties();
    const parts = [element("a", { href, textContent: name })];
    if (severity) {
      const shape = element("span", { textContent: SHAPES[severity] });
      shape.ariaHidden = "true";
      const said = element("span", { className: `severity ${severity}` });
      said.append(shape, ` ${this.words[severity]}`);
      parts.push(" ", said);
    }
    const layer = document.querySelector(`[data-map-legend] input[value="${kind}"]`)?.dataset.title ?? "";
    parts.push(element("small", { textContent: note || layer }));
    const item = element("li", {});
    item.dataset.feature = feature.getId();
    item.append(...parts);
    return item;
  }

  // The legend is the filter: what is ticked is fetched anew.
  async filter() {
    const url = new URL(this.dataset.url, location.href);
    url.searchParams.delete("couche");
    const ticked = [...document.querySelectorAll("[data-map-legend] input:checked")];
    for (const input of ticked) url.searchParams.append("couche", input.value);
    this.dataset.url = url.pathname + url.search;
    if (ticked.length) await this.load();
    else this.features.clear();
    this.inStep();
    const page = new URL(location.href);
    page.search = url.search;
    history.replaceState(null, "", page);
  }

  point(id) {
    this.chosen = id;
    this.marks.changed();
  }

  // With data-pick the map asks for a point: a press, or Enter for the middle, says it by the event "pick". With a value
  // ("line", "polygon", "any") it asks for several, and says them all each time.
  pick(coordinate) {
    this.drawn(this.dataset.pick ? [...(this.path ?? []), coordinate] : [coordinate]);
    const said = this.path.map((at) => toLonLat(at));
    this.dispatchEvent(new CustomEvent("pick", { detail: this.dataset.pick ? said : said[0] }));
  }

  // Take the last corner back, or all but the first `kept`.
  back(kept = (this.path ?? []).length - 1) {
    this.drawn((this.path ?? []).slice(0, Math.max(0, kept)));
    this.dispatchEvent(new CustomEvent("pick", { detail: this.path.map((at) => toLonLat(at)) }));
  }

  drawn(path) {
    this.path = path;
    const closed = this.dataset.pick === "polygon" && path.length > 2;
    const shape = closed ? [new Polygon([[...path, path[0]]])] : path.length > 1 ? [new LineString(path)] : [];
    this.features.clear();
    this.features.addFeatures([
      ...shape.map((geometry) => new Feature({ geometry, bare: true, severity: "" })),
      ...path.map((at) => new Feature({ geometry: new Point(at), name: "", severity: "" })),
    ]);
  }

  press(event) {
    if ("pick" in this.dataset) return this.pick(event.coordinate);
    const [found] = this.map.getFeaturesAtPixel(event.pixel, { hitTolerance: 6, layerFilter: (layer) => layer === this.marks });
    if (!found) return;
    const members = found.get("features");
    if (members.length > 1 && this.map.getView().getZoom() < 18.5) {
      const near = new VectorSource({ features: members });
      this.map.getView().fit(near.getExtent(), { padding: [60, 60, 60, 60], maxZoom: 19, duration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 200 });
      return;
    }
    const href = members[0].get("href");
    if (href) location.assign(href);
  }
}

function anchor(feature) {
  const geometry = feature.getGeometry();
  switch (geometry.getType()) {
    case "Point": return geometry;
    case "Polygon": return geometry.getInteriorPoint();
    case "MultiPolygon": return geometry.getInteriorPoints().getPoint(0);
    default: return new Point(geometry.getClosestPoint(geometry.getExtent().slice(0, 2)));
  }
}

customElements.define("beffroi-map", TownMap);
