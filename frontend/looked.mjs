// Writes what the automatic accessibility tests look at: axe-core's rules by criterion of the RGAA (make accessibility).
import axe from "axe-core";

const TAGS = ["RGAAv4", "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const criteria = {};
for (const rule of axe.getRules(TAGS)) {
  for (const tag of rule.tags) {
    const named = tag.match(/^RGAA-(\d+\.\d+)\.\d+$/);
    if (named) (criteria[named[1]] ||= new Set()).add(rule.ruleId);
  }
}
const order = (a, b) => a.split(".").map(Number).reduce((n, x, i) => n || x - Number(b.split(".")[i]), 0);
const sorted = Object.fromEntries(Object.keys(criteria).sort(order).map((c) => [c, [...criteria[c]].sort()]));
console.log(JSON.stringify({ checker: "axe-core", version: axe.version, criteria: sorted }, null, 1));
