/** A server in each runtime answers a client in Node and one in a page of Chromium. */

import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"
import { createClient } from "sealwire/client"
import { afterAll, beforeAll, expect, test } from "vitest"

import { freePort } from "../support/loopback.ts"
import { notRun } from "../support/not-run.ts"
import { bundleProgram, inBrowsers } from "../support/pages.ts"
import { type Started, startProgram } from "../support/started.ts"

/** The programs of tools/runtimes: which server each runs, and how. */
const RUNTIMES: Readonly<Record<string, { server: string; command: readonly string[] }>> = {
  "Node 20.19.0": { server: "node", command: ["node20/bin/node"] },
  "Node 22": { server: "node", command: ["node22/bin/node"] },
  "Node 24": { server: "node", command: ["node24/bin/node"] },
  "Node 26": { server: "node", command: ["node26/bin/node"] },
  Bun: { server: "bun", command: ["@oven/bun-linux-x64/bin/bun"] },
  Deno: {
    server: "deno",
    command: ["@deno/linux-x64-glibc/deno", "run", "--allow-all", "--cached-only", "--quiet"],
  },
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The servers as each runtime takes them, inside this package, so that its name leads to what was built. */
let folder: string
let program: string

beforeAll(async () => {
  await mkdir(here("../../temp"), { recursive: true })
  folder = await mkdtemp(here("../../temp/servers-"))
  await build({
    entryPoints: ["node", "bun", "deno"].map((name) => here(`../runtimes/servers/${name}.ts`)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    external: ["sealwire", "sealwire/*"],
    tsconfigRaw: {},
  })
  program = await bundleProgram()
})

afterAll(() => rm(folder, { recursive: true }))

interface Serving extends Started {
  readonly origin: string
  readonly pin: string
}

async function serve(command: readonly string[], server: string): Promise<Serving> {
  const port = await freePort()
  const started = await startProgram([...command, join(folder, `${server}.mjs`), String(port)], 1)
  return { ...started, origin: `http://127.0.0.1:${port}`, pin: started.lines[0] ?? "" }
}

inBrowsers(["Chromium"], (openPage) => {
  for (const [name, { server, command }] of Object.entries(RUNTIMES)) {
    const [path = "", ...args] = command
    const runtime = here(`../../tools/runtimes/node_modules/${path}`)
    if (!existsSync(runtime)) {
      notRun(`a server in ${name}`, runtime)
      continue
    }

    test(`${name} answers a client in Node and one in a page`, async () => {
      const { origin, pin, end } = await serve([runtime, ...args], server)
      try {
        const client = createClient({ baseUrl: origin, pins: [pin] })
        const response = await client.fetch("/echo", { method: "POST", body: "grüße" })
        expect([response.status, await response.text()]).toEqual([200, "you said grüße"])

        const page = await openPage()
        await page.goto(origin)
        await page.addScriptTag({ content: program })
        const outcome = await page.evaluate(
          (trusted) => globalThis.program.post({ pin: trusted }, "grüße"),
          pin,
        )
        expect(outcome).toEqual({ status: 200, text: "you said grüße" })
        await page.close()
      } finally {
        await end()
      }
    })
  }
})
