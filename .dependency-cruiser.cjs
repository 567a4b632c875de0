// The import ranks: a room sees the rooms named here, never sideways or back, types included.
// `tools/check-ranks.js` runs this over src/ and over seeded violations.

const EVERY_ROOM_BELOW_DOORS =
  "base|crypto|keys|key-ring|replay|envelope|api-keys|signing-keys|idempotency|session|stream|frames|fields|http|client|server|websocket|contracts"

/** Room → the rooms it may see besides itself. */
const ranks = {
  base: "",
  crypto: "base",
  keys: "crypto|base",
  "key-ring": "keys|crypto|base",
  replay: "crypto|base",
  envelope: "keys|replay|crypto|base",
  "api-keys": "crypto|base",
  "signing-keys": "crypto|base",
  idempotency: "crypto|base",
  session: "envelope|keys|replay|crypto|base",
  stream: "envelope|keys|replay|crypto|base",
  frames: "envelope|keys|replay|crypto|base",
  fields: "envelope|keys|replay|crypto|base",
  http: "session|stream|frames|fields|envelope|keys|replay|crypto|base",
  client: "http|session|stream|frames|fields|envelope|keys|replay|crypto|base",
  server:
    "http|api-keys|signing-keys|idempotency|session|stream|frames|fields|envelope|keys|replay|crypto|base",
  websocket:
    "client|server|http|api-keys|signing-keys|idempotency|session|stream|frames|fields|envelope|keys|replay|crypto|base",
  "node-http": "server|http|base",
  contracts: "session|api-keys|signing-keys|idempotency|replay|key-ring|crypto|base",
  stores: "session|api-keys|signing-keys|idempotency|replay|key-ring|crypto|base",
}

const rankRules = Object.entries(ranks).map(([room, seen]) => ({
  name: `rank-${room}`,
  severity: "error",
  comment: `src/${room} sees only: ${seen || "nothing"}`,
  from: { path: `^src/${room}/` },
  to: { path: "^src/", pathNot: `^src/(${[room, seen].filter(Boolean).join("|")})/` },
}))

const DOOR = "^src/[^/]+[.]ts$"

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    ...rankRules,
    {
      name: "no-cycles",
      severity: "error",
      comment: "a cycle has no order to read it in",
      from: {},
      to: { circular: true },
    },
    {
      name: "types-only",
      severity: "error",
      comment:
        "stores and contracts see the types of session, api-keys, signing-keys, idempotency, replay, key-ring and crypto, not their code",
      from: { path: "^src/(stores|contracts)/" },
      to: {
        path: "^src/(session|api-keys|signing-keys|idempotency|replay|key-ring|crypto)/",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "adapters-stay-thin",
      severity: "error",
      comment: "adapters are handed an endpoint: they see its types, not its code",
      from: { path: "^src/(adapters|node-http)/" },
      to: { path: "^src/server/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "backends-apart",
      severity: "error",
      comment:
        "a backend shares the interface, the sizes, the parts of what is sealed, the lanes and WebCrypto's keys with others; node-hash is node's",
      from: { path: "^src/crypto/(node|web|noble)[.]ts$" },
      to: {
        path: "^src/crypto/",
        pathNot: "^src/crypto/(backend|sizes|sealed-parts|subtle|lanes|$1-[^/]+)[.]ts$",
      },
    },
    {
      name: "backend-by-condition",
      severity: "error",
      comment:
        "the platform's files are reached as #backend and #base64url, so that conditions decide; noble needs none",
      from: { path: "^src/", pathNot: "^src/crypto/noble[.]ts$" },
      to: {
        path: "^src/(crypto/(node|web)|base/base64url(-node)?)[.]ts$",
        dependencyTypesNot: ["aliased-tsconfig", "aliased-subpath-import"],
      },
    },
    {
      name: "noble-by-its-door",
      severity: "error",
      comment: "who does not ask for the noble backend does not pay for it",
      from: { path: "^src/", pathNot: "^src/noble[.]ts$" },
      to: { path: "^src/crypto/noble[.]ts$" },
    },
    {
      name: "doors-apart",
      severity: "error",
      comment: "a door opens rooms, not other doors",
      from: { path: DOOR },
      to: { path: "^src/", pathNot: `^src/(${EVERY_ROOM_BELOW_DOORS})/` },
    },
    {
      name: "adapters-apart",
      severity: "error",
      comment: "adapters see what is below them, and not each other",
      from: { path: "^src/adapters/([^/]+)[.]ts$" },
      to: { path: "^src/(cli|stores|contracts|adapters)/" },
    },
    {
      name: "cli-is-a-user",
      severity: "error",
      comment: "the command imports doors only, like any other user",
      from: { path: "^src/cli/" },
      to: { path: "^src/", pathNot: ["^src/cli/", DOOR, "^src/(stores|adapters)/"] },
    },
    {
      name: "root-stays-small",
      severity: "error",
      comment: "the root door reaches no store, framework or socket",
      from: { path: "^src/index[.]ts$" },
      to: { path: "^src/", pathNot: "^src/(base|crypto|keys|replay|envelope)/", reachable: true },
    },
    {
      name: "declared-packages-only",
      severity: "error",
      comment: "src/ imports runtime dependencies, not what happens to be installed",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown", "undetermined"] },
    },
    {
      name: "resolvable",
      severity: "error",
      comment: "an import that leads nowhere hides what it leads to",
      from: { path: "^src/" },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
    skipAnalysisNotInRules: true,
  },
}
