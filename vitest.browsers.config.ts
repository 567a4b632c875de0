import "./tools/map-group-by.ts"

import { existsSync } from "node:fs"

import { playwright } from "@vitest/browser-playwright"
import { defineConfig } from "vitest/config"
import type { BrowserInstanceOption } from "vitest/node"

import { sourceAliases } from "./tools/sources.ts"
import { webkitgtk } from "./tools/webkitgtk.ts"

interface Browser {
  /** The program whose presence tells that the browser is installed. */
  program: string
  instance: BrowserInstanceOption
}

const CHROMIUM = "/usr/bin/chromium"
const FIREFOX = "/usr/bin/firefox-esr"

/** As root Chromium needs --no-sandbox; the rest keeps it from talking to anyone but the tests. */
const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
]

/** Debian's browsers. */
const browsers: Record<string, Browser> = {
  chromium: {
    program: CHROMIUM,
    instance: {
      browser: "chromium",
      provider: playwright({ launchOptions: { executablePath: CHROMIUM, args: CHROMIUM_ARGS } }),
    },
  },
  firefox: {
    program: FIREFOX,
    instance: {
      browser: "firefox",
      // a channel makes playwright drive an unpatched Firefox, by WebDriver BiDi
      provider: playwright({ launchOptions: { channel: "moz-firefox", executablePath: FIREFOX } }),
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

export default defineConfig({
  test: {
    projects: Object.entries(browsers)
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
  },
})
