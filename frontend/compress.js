// Writes .br beside the files of the bundle: the server sends them as they are. It makes gzip of them itself when it
// starts; the map and the charts, by far the largest, are sent with gzip alone, so that the wheel stays below two megabytes.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const LARGEST = 50_000;
const folder = new URL("../src/beffroi/web/static/dist/", import.meta.url);
for (const name of readdirSync(folder).sort()) {
  if (!/\.(css|js|svg)$/.test(name)) continue;
  const body = readFileSync(new URL(name, folder));
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  const brotli = brotliCompressSync(body, quality);
  if (body.length <= LARGEST) writeFileSync(new URL(`${name}.br`, folder), brotli);
  console.log(`${name}: ${body.length} bytes, ${brotli.length} with brotli`);
}
