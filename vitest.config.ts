import "./tools/map-group-by.ts"

import { defineConfig } from "vitest/config"

import { sourceAliases } from "./tools/sources.ts"

export default defineConfig({
  test: {
    // much of the suite waits for servers, which a core for each file leaves idle
    maxWorkers: "100%",
    globalSetup: ["test/support/temporary-files.ts"],
    projects: [
      {
        resolve: { alias: sourceAliases("node") },
        test: {
          name: "node",
          include: ["test/**/*.test.ts"],
          exclude: ["test/browser/**"],
          // every test fails in which a secret shows
          setupFiles: ["test/support/canary-watch.ts"],
          // against hanging, not slowness: a busy machine fails no test
          testTimeout: 60_000,
        },
      },
    ],
  },
})
