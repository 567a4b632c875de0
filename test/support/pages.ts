/**
 * Real browsers, driven from Node by what a user does: clicks and keys. And the program that tests put into pages.
 *
 * @module
 */

import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"
import { type Browser, type BrowserType, chromium, firefox, type Page } from "playwright"
import { afterAll, beforeAll, describe } from "vitest"

import { type Launch, chromium as chromiumLaunch, firefox as firefoxLaunch } from "../../tools/browsers.ts"
import { notRun } from "./not-run.ts"

/** A host that is this machine, but not by a name that browsers hold for secure. */
export const INSECURE_HOST = "app.test"

const BROWSERS: Readonly<Record<string, { type: BrowserType; launch: Launch }>> = {
  Chromium: {
    type: chromium,
    launch: {
      ...chromiumLaunch,
      args: [...(chromiumLaunch.args ?? []), `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`],
    },
  },
  Firefox: {
    type: firefox,
    launch: { ...firefoxLaunch, firefoxUserPrefs: { "network.dns.localDomains": INSECURE_HOST } },
  },
}

/** Opens a page in a profile of its own. */
export type OpenPage = (options?: { readonly width?: number }) => Promise<Page>

/** Describes what holds in each browser that is installed. */
export function inBrowsers(names: readonly string[], define: (open: OpenPage, name: string) => void): void {
  for (const name of names) {
    const found = BROWSERS[name]
    if (!found) throw new RangeError(`no browser is called ${name}`)
    const { type, launch } = found
    if (!existsSync(launch.executablePath)) {
      notRun(`pages in ${name}`, launch.executablePath)
      continue
    }
    describe(`in ${name}`, () => {
      let browser: Browser
      beforeAll(async () => {
        browser = await type.launch(launch)
      })
      afterAll(() => browser.close())
      define(async ({ width = 1200 } = {}) => {
        // not browser.newPage: such a profile takes no second page
        const profile = await browser.newContext({ viewport: { width, height: 900 } })
        const page = await profile.newPage()
        page.setDefaultTimeout(120_000)
        return page
      }, name)
    })
  }
}

/** The functions of test/browser/program.ts as one script, with the package as it was built. */
export async function bundleProgram(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../browser/program.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "program",
    platform: "browser",
    target: "es2022",
    // this repository's own would find the package in src/, for Node
    tsconfigRaw: {},
    logOverride: { "ignored-bare-import": "silent" },
  })
  return outputFiles[0]?.text ?? ""
}
