import { defineConfig } from "tsup"

import { doors, lazyModules, platformModules, workerModules } from "./tools/doors.js"

/** @param {string[]} names */
const entries = (names) => Object.fromEntries(names.map((name) => [name, `src/${name}.ts`]))
const doorNames = doors.map((door) => door.name)

/** @type {import("tsup").Options} */
const shared = {
  format: "esm",
  target: "es2022",
  platform: "neutral",
  // The code is neither minified nor bundled with its dependencies, so a stack trace already reads like the source:
  // source maps would double the tarball and tell nothing.
  sourcemap: false,
  // Deno and workers know the platform's modules by that name only
  removeNodeProtocol: false,
  silent: true,
}

/**
 * The command is the library's first user: it imports the built doors as they are, and holds no copy of them.
 *
 * @type {import("esbuild").Plugin}
 */
const importBuiltDoors = {
  name: "import-built-doors",
  setup(build) {
    build.onResolve({ filter: /^(?:\.\.\/)+[\w/-]+\.ts$/ }, ({ path, importer }) => {
      const name = path.replace(/^(?:\.\.\/)+|\.ts$/g, "")
      const outside = /\/src\/cli\/(?:[\w-]+\/)?[\w-]+\.ts$/.test(importer) && doorNames.includes(name)
      return outside ? { path: `../${name}.js`, external: true } : undefined
    })
  },
}

/**
 * What a door loads later names that door again. esbuild parts what a page loads by who can reach it, and would otherwise cut the
 * client into a file for each set of parts that share some of it: 2 kB more, gzipped. For all others the import does nothing.
 *
 * @type {NonNullable<import("tsup").Options["plugins"]>[number]}
 */
const keepDoorsWhole = {
  name: "keep-doors-whole",
  renderChunk(code, { path }) {
    const name = lazyModules.find((lazy) => path.endsWith(`/dist/${lazy}.js`))
    const [door] = name?.split("/") ?? []
    return door === undefined ? undefined : { code: `import "../${door}.js";\n${code}` }
  },
}

export default defineConfig([
  {
    ...shared,
    entry: entries([...doorNames, ...platformModules, ...lazyModules]),
    // One build with splitting: doors share one copy of each module, and so of the state in it.
    splitting: true,
    // Left for the consumer's conditions to decide, and for the platform to have.
    external: [/^#/, /^node:/],
    plugins: [keepDoorsWhole],
    dts: { entry: entries(doorNames) },
    metafile: true,
  },
  {
    ...shared,
    entry: entries(["cli/main"]),
    splitting: false,
    platform: "node",
    esbuildPlugins: [importBuiltDoors],
  },
  {
    ...shared,
    entry: entries(workerModules),
    // A thread has its own copies whatever the files, and begins in half the time with one file that has what it needs alone.
    splitting: false,
    platform: "node",
    esbuildOptions(options) {
      options.alias = { "#backend": "./src/crypto/node.ts", "#base64url": "./src/base/base64url-node.ts" }
    },
  },
])
