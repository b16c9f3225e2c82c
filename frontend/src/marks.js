// How the map looks: a grey base with few labels, marks that differ by shape as well as colour.
import CircleStyle from "ol/style/Circle.js";
import Fill from "ol/style/Fill.js";
import RegularShape from "ol/style/RegularShape.js";
import Stroke from "ol/style/Stroke.js";
import Style from "ol/style/Style.js";
import Text from "ol/style/Text.js";
import { colour } from "./words.js";

const LEVELS = ["", "vert", "jaune", "orange", "rouge"];
const FONT = "system-ui, sans-serif";

// Same shapes as the words: ● ▲ ◆ ■
function shape(severity, radius) {
  const stroke = new Stroke({ color: colour("--paper"), width: 1.5 });
  const fill = new Fill({ color: colour(severity ? `--mark-${severity}` : "--accent") });
  if (severity === "jaune") return new RegularShape({ points: 3, radius: radius * 1.35, fill, stroke, displacement: [0, -1] });
  if (severity === "orange") return new RegularShape({ points: 4, radius: radius * 1.3, fill, stroke });
  if (severity === "rouge") return new RegularShape({ points: 4, radius: radius * 1.3, angle: Math.PI / 4, fill, stroke });
  return new CircleStyle({ radius, fill, stroke });
}

const worst = (features) => features.map((f) => f.get("severity") || "").reduce((a, b) => (LEVELS.indexOf(b) > LEVELS.indexOf(a) ? b : a), "");

export function markStyle(feature, chosen) {
  const members = feature.get("features");
  if (!members) {
    const tint = colour(feature.get("severity") ? `--mark-${feature.get("severity")}` : "--accent");
    return new Style({ stroke: new Stroke({ color: tint, width: 2 }), fill: new Fill({ color: `${tint}22` }) });
  }
  const severity = worst(members);
  const ring = members.some((f) => String(f.getId()) === chosen)
    ? [new Style({ image: new CircleStyle({ radius: 17, stroke: new Stroke({ color: colour("--ink"), width: 3 }) }), zIndex: 9 })]
    : [];
  if (members.length === 1) return [new Style({ image: shape(severity, 7), zIndex: LEVELS.indexOf(severity) }), ...ring];
  const radius = 11 + Math.min(7, Math.log2(members.length));
  return [
    new Style({
      image: new CircleStyle({ radius, fill: new Fill({ color: colour("--paper") }), stroke: new Stroke({ color: colour(severity ? `--mark-${severity}` : "--accent"), width: 2.5 }) }),
      text: new Text({ text: String(members.length), font: `600 13px ${FONT}`, fill: new Fill({ color: colour("--ink") }) }),
      zIndex: LEVELS.indexOf(severity),
    }),
    ...(LEVELS.indexOf(severity) > 1 ? [new Style({ image: moved(shape(severity, 5), radius), zIndex: 5 })] : []),
    ...ring,
  ];
}

function moved(image, radius) {
  image.setDisplacement([radius * 0.8, radius * 0.8]);
  return image;
}

const ROADS = { motorway: 5, trunk: 5, primary: 4.5, secondary: 3.5, tertiary: 3, street: 2.2, path: 0.9 };

export function baseStyle(feature, resolution) {
  const kind = feature.get("kind");
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const near = Math.min(2.2, Math.max(0.5, 3 / resolution));
  if (kind in ROADS) return road(feature, kind, ROADS[kind] * near, resolution, dark);
  const tint = {
    water: dark ? "#1d3540" : "#cfe0e8", river: dark ? "#27485a" : "#b5cfdc", green: dark ? "#20291f" : "#e3eadb",
    building: dark ? "#302d29" : "#e2ded5", boundary: dark ? "#8a8478" : "#8a8478", rail: dark ? "#55504a" : "#b8b1a5", place: "",
  }[kind];
  if (kind === "river") return new Style({ stroke: new Stroke({ color: tint, width: Math.max(1.5, 4 * near) }), zIndex: 1 });
  if (kind === "rail") return new Style({ stroke: new Stroke({ color: tint, width: 1.2 * near, lineDash: [6, 4] }), zIndex: 3 });
  if (kind === "boundary") return new Style({ stroke: new Stroke({ color: tint, width: 1.5, lineDash: [8, 4, 2, 4] }), zIndex: 5 });
  if (kind === "building") return resolution > 6 ? null : new Style({ fill: new Fill({ color: tint }), zIndex: 2 });
  if (tint) return new Style({ fill: new Fill({ color: tint }), stroke: kind === "water" ? new Stroke({ color: tint, width: 1 }) : undefined, zIndex: 0 });
  return null;
}

function road(feature, kind, width, resolution, dark) {
  if (kind === "path" && resolution > 5) return null;
  if (kind === "street" && resolution > 30) return null;
  const name = feature.get("name");
  const styles = [new Style({ stroke: new Stroke({ color: dark ? "#45413b" : kind === "path" ? "#d8d3c8" : "#fff", width: Math.max(0.6, width) }), zIndex: 4 })];
  if (!dark && kind !== "path") styles.unshift(new Style({ stroke: new Stroke({ color: "#d3cdc2", width: width + 1.2 }), zIndex: 3 }));
  if (name && resolution < 3 && kind !== "path") {
    styles.push(new Style({
      text: new Text({ text: name, font: `12px ${FONT}`, placement: "line", maxAngle: 0.6, fill: new Fill({ color: dark ? "#b0aa9f" : "#5b564e" }), stroke: new Stroke({ color: dark ? "#171614" : "#fff", width: 3 }) }),
      zIndex: 6,
    }));
  }
  return styles;
}
