import "./tools/map-group-by.ts"

import { existsSync } from "node:fs"

import { playwright } from "@vitest/browser-playwright"
import { defineConfig, type TestProjectConfiguration } from "vitest/config"
import type { BrowserInstanceOption } from "vitest/node"

import { chromium, firefox } from "./tools/browsers.ts"
import { sourceAliases } from "./tools/sources.ts"
import { webkitgtk } from "./tools/webkitgtk.ts"

interface Browser {
  /** The program whose presence tells that the browser is installed. */
  program: string
  instance: BrowserInstanceOption
}

/** Debian's browsers. */
const browsers: Record<string, Browser> = {
  chromium: {
    program: chromium.executablePath,
    instance: {
      browser: "chromium",
      provider: playwright({ launchOptions: chromium }),
    },
  },
  firefox: {
    program: firefox.executablePath,
    instance: {
      browser: "firefox",
      provider: playwright({ launchOptions: firefox }),
    },
  },
  webkitgtk: {
    program: "/usr/bin/WebKitWebDriver",
    instance: { browser: "webkit", provider: webkitgtk() },
  },
}

const everyBrowser = process.env["SEALWIRE_TEST_ALL"] === "1"

function isInstalled([name, { program }]: [string, Browser]): boolean {
  if (existsSync(program)) return true
  if (everyBrowser) throw new Error(`${name} is not installed: ${program} is missing`)
  console.warn(`SKIPPED: no test runs in ${name}, ${program} is missing`)
  return false
}

/** Pages as users have them: driven from Node, in browsers that the tests start themselves. */
const pages: TestProjectConfiguration = {
  resolve: { alias: sourceAliases("node") },
  test: {
    name: "pages",
    include: ["test/browser/*.test.ts"],
    maxWorkers: 1,
    // against hanging, not slowness: a browser may take its time on a busy machine
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
}

export default defineConfig({
  test: {
    globalSetup: ["test/support/temporary-files.ts"],
    projects: [
      pages,
      ...Object.entries(browsers)
        .filter(isInstalled)
        .map(([name, { instance }]) => ({
          resolve: { alias: sourceAliases("web") },
          test: {
            name,
            provide: { browser: name },
            include: ["test/runtimes/*.test.ts"],
            testTimeout: 60_000,
            // WebKitGTK cannot unwrap one random content key in 256: see test/runtimes/vitest.test.ts
            retry: name === "webkitgtk" ? 2 : 0,
            browser: { enabled: true, headless: true, screenshotFailures: false, instances: [instance] },
          },
        })),
    ],
  },
})
