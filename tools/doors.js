/**
 * The doors: every public subpath of the package, one line each.
 *
 * The build takes its entries from here, and `npm run check` holds package.json#exports, the API reports in etc/, the
 * types and the size budgets to it. `sealwire/stores/redis` is `"stores/redis"`, built from src/stores/redis.ts.
 */

/**
 * @typedef {object} Door
 * @property {string} name Its path in src/ and, save for "index", its subpath.
 * @property {number} maxGzipBytes Budget of the whole door in a browser, minified and gzipped, with everything it pulls in.
 * @property {string[]} packages Other packages that it may pull in there.
 * @property {boolean} [runsOnNode] Whether it is for Node alone: it may import Node's modules, and its types are Node's.
 * @property {boolean} [speaksHttp] Whether its types are those of `fetch`: `Request`, `Response`.
 */

/** @type {Door[]} */
export const doors = [
  { name: "index", maxGzipBytes: 12_500, packages: [] },
  { name: "keys", maxGzipBytes: 25_500, packages: ["@peculiar/utils", "asn1js"] },
  { name: "key-ring", maxGzipBytes: 32_000, packages: ["@peculiar/utils", "asn1js"] },
  { name: "replay", maxGzipBytes: 4000, packages: [] },
  {
    name: "noble",
    maxGzipBytes: 30_000,
    packages: ["@noble/ciphers", "@noble/curves", "@noble/hashes", "micro-rsa-dsa-dh"],
  },
  {
    name: "server",
    maxGzipBytes: 37_100,
    packages: ["ipaddr.js", "rou3"],
    speaksHttp: true,
  },
  { name: "session", maxGzipBytes: 19_000, packages: [] },
  { name: "client", maxGzipBytes: 19_700, packages: ["idb-keyval"], speaksHttp: true },
  { name: "api-keys", maxGzipBytes: 5000, packages: [] },
  { name: "fields", maxGzipBytes: 16_000, packages: [] },
  { name: "stream", maxGzipBytes: 14_500, packages: ["@noble/hashes"] },
  { name: "file", maxGzipBytes: 17_000, packages: ["@noble/hashes"], runsOnNode: true },
  { name: "testing", maxGzipBytes: 20_000, packages: [] },
  { name: "stores/redis", maxGzipBytes: 8000, packages: [] },
  { name: "stores/postgres", maxGzipBytes: 7900, packages: [] },
  { name: "stores/folder", maxGzipBytes: 3000, packages: [], runsOnNode: true },
  { name: "stores/sqlite", maxGzipBytes: 6000, packages: [] },
  { name: "adapters/node", maxGzipBytes: 4000, packages: [], runsOnNode: true, speaksHttp: true },
  { name: "adapters/express", maxGzipBytes: 4000, packages: [], runsOnNode: true, speaksHttp: true },
  { name: "adapters/fastify", maxGzipBytes: 4000, packages: [], runsOnNode: true, speaksHttp: true },
  { name: "adapters/hono", maxGzipBytes: 1000, packages: [], speaksHttp: true },
]

/** What package.json#imports chooses between at the consumer's: built as files of their own. */
export const platformModules = ["crypto/web", "crypto/node", "base/base64url", "base/base64url-node"]

/** What a door imports only when it is needed: built as files of their own, under a name that stays. */
export const lazyModules = ["client/pinned-keys", "client/sessions", "client/streamed-answer"]

/** What is started as a thread of its own, and so is a file of its own. */
export const workerModules = ["stream/segment-worker"]

/** @param {Door} door */
const subpath = (door) => (door.name === "index" ? "." : `./${door.name}`)

/** @param {Door} door */
export const specifier = (door) => (door.name === "index" ? "sealwire" : `sealwire/${door.name}`)

/** What package.json#exports must say. */
export const exportsOfDoors = () => ({
  ...Object.fromEntries(
    doors.map((door) => [
      subpath(door),
      { types: `./dist/${door.name}.d.ts`, default: `./dist/${door.name}.js` },
    ]),
  ),
  "./package.json": "./package.json",
})
