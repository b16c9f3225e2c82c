// Writes .br and .gz beside each file of the bundle: the server sends them as they are.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = new URL("../src/beffroi/web/static/dist/", import.meta.url);
for (const name of readdirSync(folder).sort()) {
  if (!/\.(css|js|svg)$/.test(name)) continue;
  const body = readFileSync(new URL(name, folder));
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  const brotli = brotliCompressSync(body, quality);
  writeFileSync(new URL(`${name}.br`, folder), brotli);
  writeFileSync(new URL(`${name}.gz`, folder), gzipSync(body, { level: 9 }));
  console.log(`${name}: ${body.length} bytes, ${brotli.length} with brotli`);
}
