import { defineConfig } from "vite";

// Style and islands of the pages. Names carry a hash of the content, so that they may be kept for a year.
export default defineConfig({
  base: "/static/",
  build: {
    outDir: "../src/beffroi/web/static/dist",
    emptyOutDir: true,
    manifest: "manifest.json",
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: false,
    target: "es2020",
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      input: ["src/site.css", "src/desk.css", "src/river.css", "src/map.js", "src/chart.js", "src/live.js", "src/report.js", "src/push.js", "src/queue.js", "src/field.js", "src/reckoning.js", "src/bring.js", "src/place.js"],
    },
  },
});
