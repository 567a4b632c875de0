import { doors, platformModules, workerModules } from "./tools/doors.js"

export default {
  entry: [
    "test/runtimes/plain.ts",
    // bundled by name, for pages and for other runtimes
    "demo/page/main.js",
    "test/browser/program.ts",
    "test/runtimes/servers/{bun,deno,node}.ts",
    "bench/**/*.{js,mjs,ts}",
    // started as processes of their own
    "test/support/*-{claims,victim,server}.ts",
    "test/support/{leaking,servers}-process.ts",
    // built into what tests start
    "test/support/small-crews.ts",
    "examples/**/*.mjs",
    "examples/kms/*.ts",
    "examples/secure-server/main.js",
    ...doors.map(({ name }) => `src/${name}.ts`),
    ...[...platformModules, ...workerModules].map((name) => `src/${name}.ts`),
    "src/cli/main.ts",
  ],
  // a type that a declaration mentions must be exported, isolatedDeclarations or not
  ignoreExportsUsedInFile: { interface: true, type: true },
  // Debian's, started by tools and by tests
  ignoreBinaries: [
    "Xvfb",
    "WebKitWebDriver",
    "redis-server",
    "redis-cli",
    "softhsm2-util",
    "ipcs",
    "openssl",
    "spin",
    "gcc",
    "sslscan",
  ],
  ignoreDependencies: [
    // run by name, in tools/check-published.js
    "@arethetypeswrong/cli",
    "publint",
    // in bench/package.json
    "@hpke/core",
    "age-encryption",
    "libsodium-wrappers",
    "node-forge",
    "openpgp",
    // in examples/kms/package.json
    "@aws-sdk/client-kms",
    "@azure/keyvault-keys",
    "@google-cloud/kms",
    "pkcs11js",
    // in examples/secure-server/package.json
    "@electric-sql/pglite",
    "eta",
    "helmet",
    "redis",
    // in examples/clients/package.json
    "@trpc/client",
    "@trpc/server",
    "axios",
    "ky",
    "openapi-fetch",
  ],
}
