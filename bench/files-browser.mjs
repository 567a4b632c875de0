/**
 * Measures sealed streams in Debian's Chromium beside age-encryption: `npm ci --prefix bench && node bench/files-browser.mjs`.
 *
 *     node bench/files-browser.mjs [--mib 128] [--rounds 5] [--only sealwire,age-encryption,raw]
 *
 * Each turn is a page of its own, with a Blob of `--mib` in memory; all contenders take turns, and a ratio is the median of those
 * within a round. Processor time and memory are those of the page's process: in threads of their own, too.
 */

import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

import { build, transform } from "esbuild"
import { chromium } from "playwright"

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "128" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: "sealwire,age-encryption,raw" },
  },
})
const MIB = Number(values.mib)
const NAMES = values.only.split(",")
const BARS = { "age-encryption": 3 }
const WATCH_EVERY_MS = 50

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]

async function bundle() {
  const alias = { "#backend": here("../src/crypto/web.ts"), "#base64url": here("../src/base/base64url.ts") }
  const { outputFiles } = await build({
    entryPoints: [here("files/browser-program.mjs")],
    ...{ bundle: true, write: false, format: "iife", globalName: "program", platform: "browser" },
    ...{ target: "es2022", alias, logLevel: "error" },
  })
  return outputFiles[0].text
}

/** The browser as the tests start it. */
async function launch() {
  const { code } = await transform(await readFile(here("../tools/browsers.ts"), "utf8"), { loader: "ts" })
  const { chromium: options } = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  return chromium.launch(options)
}

/** What the pages' processes have used so far: seconds of a processor, and the memory that they have now. */
async function usage(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo")
  const pages = processInfo.filter(({ type }) => type === "renderer")
  const sizes = pages.map(async ({ id }) => {
    const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "")
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
  })
  const cpuSeconds = pages.reduce((sum, { cpuTime }) => sum + cpuTime, 0)
  return { cpuSeconds, mib: Math.max(...(await Promise.all(sizes))) }
}

/** Runs one of the page's functions, and gives what it cost besides time. */
async function watched(session, work) {
  const before = await usage(session)
  let peak = before.mib
  const timer = setInterval(async () => {
    peak = Math.max(peak, (await usage(session).catch(() => before)).mib)
  }, WATCH_EVERY_MS)
  const ms = await work().finally(() => clearInterval(timer))
  const after = await usage(session)
  return { ms, cpuMs: (after.cpuSeconds - before.cpuSeconds) * 1000, grownMib: peak - before.mib }
}

async function measure(browser, origin) {
  const session = await browser.newBrowserCDPSession()
  const rounds = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const turns = {}
    for (const name of NAMES) {
      const context = await browser.newContext()
      const page = await context.newPage()
      page.setDefaultTimeout(0)
      await page.goto(origin)
      await page.evaluate(([each, mib]) => globalThis.program.prepare(each, mib), [name, MIB])
      for (const work of ["seal", "open"]) {
        const run = () => page.evaluate((each) => globalThis.program.turn(each), work)
        ;(turns[work] ??= {})[name] = await watched(session, run)
      }
      await context.close()
    }
    rounds.push(turns)
  }
  return rounds
}

function report(rounds) {
  for (const work of ["seal", "open"]) {
    for (const name of NAMES) {
      const of = (what) => median(rounds.map((turns) => turns[work][name][what]))
      const ratio = (what) =>
        median(rounds.map(({ [work]: turns }) => turns[name][what] / turns.sealwire[what])).toFixed(2)
      const bar = BARS[name]
      const missed = bar && Number(ratio("ms")) < bar ? ", MISSED" : ""
      const beside = `sealwire is ${ratio("ms")} x as fast${bar ? ` (bar ${bar}${missed})` : ""}, ${ratio("cpuMs")} by processor time`
      const speed = ((MIB * 1.048576) / (of("ms") / 1000)).toFixed(0).padStart(5)
      console.log(
        `${work}  ${name.padEnd(15)} ${speed} MB/s  ${of("cpuMs").toFixed(0).padStart(6)} ms of a core  ` +
          `+${of("grownMib").toFixed(0)} MiB  ${name === "sealwire" ? "" : beside}`,
      )
    }
  }
}

const script = await bundle()
const server = createServer((_, response) => {
  response.setHeader("content-type", "text/html")
  response.end(
    `<!doctype html><title>files</title><script>${script.replaceAll("</script", "<\\/script")}</script>`,
  )
})
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
const browser = await launch()
try {
  console.log(`Chromium ${browser.version()}, ${MIB} MiB, ${values.rounds} rounds`)
  report(await measure(browser, `http://127.0.0.1:${server.address().port}`))
} finally {
  await browser.close()
  server.close()
}
