/**
 * Vitest in WebKitGTK: the engine of Safari as Debian packages it (webkit2gtk-driver, xvfb), driven by W3C WebDriver.
 * Playwright's own WebKit is a download of its own, and drives no other.
 */

import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import type { Readable } from "node:stream"
import { setTimeout as sleep } from "node:timers/promises"

import { defineBrowserProvider } from "@vitest/browser"
import type { BrowserProvider, BrowserProviderOption, TestProject } from "vitest/node"

declare module "vitest/browser" {
  interface BrowserCommands {
    __vitest_viewport: () => Promise<void>
  }
}

const MINI_BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"
const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 3000

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  if (address === null || typeof address === "string") throw new Error("no free port")
  return address.port
}

/** Starts a display that nobody looks at; gives its name once it is ready. */
async function startDisplay(): Promise<{ xvfb: ChildProcess; display: string }> {
  const args = ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
  const xvfb = spawn("Xvfb", args, { stdio: ["ignore", "ignore", "ignore", "pipe"] })
  const ready = once(xvfb.stdio[3] as Readable, "data", { signal: AbortSignal.timeout(START_TIMEOUT_MS) })
  const [number] = (await ready) as [Buffer]
  return { xvfb, display: `:${number.toString().trim()}` }
}

/** One WebDriver session, and the processes under it. */
class Session {
  readonly #base: string
  readonly #processes: readonly ChildProcess[]
  #id = ""

  private constructor(base: string, processes: readonly ChildProcess[]) {
    this.#base = base
    this.#processes = processes
  }

  static async start(): Promise<Session> {
    const { xvfb, display } = await startDisplay()
    const port = await freePort()
    const driver = spawn("WebKitWebDriver", ["--host=127.0.0.1", `--port=${port}`], {
      stdio: "ignore",
      // WebKit's sandbox does not start for root, and only our own pages are opened
      env: {
        ...process.env,
        DISPLAY: display,
        LIBGL_ALWAYS_SOFTWARE: "1",
        WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1",
      },
    })
    const session = new Session(`http://127.0.0.1:${port}`, [driver, xvfb])
    await session.#waitForDriver()
    const browser = { binary: MINI_BROWSER, args: ["--automation"] }
    const capabilities = { alwaysMatch: { browserName: "MiniBrowser", "webkitgtk:browserOptions": browser } }
    const created = (await session.#call("POST", "/session", { capabilities })) as { sessionId: string }
    session.#id = created.sessionId
    return session
  }

  async open(url: string): Promise<void> {
    await this.#call("POST", `/session/${this.#id}/url`, { url })
  }

  async stop(): Promise<void> {
    const ended = this.#call("DELETE", `/session/${this.#id}`).catch(() => undefined)
    await Promise.race([ended, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })])
    for (const process of this.#processes) process.kill()
  }

  async #waitForDriver(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS
    for (;;) {
      try {
        await this.#call("GET", "/status")
        return
      } catch (error) {
        if (Date.now() > deadline) throw error
        await sleep(50)
      }
    }
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(this.#base + path, { method, ...(body && { body: JSON.stringify(body) }) })
    const { value } = (await response.json()) as { value: unknown }
    if (!response.ok) throw new Error(`WebDriver ${method} ${path}: ${JSON.stringify(value)}`)
    return value
  }
}

class WebKitGtkProvider implements BrowserProvider {
  readonly name = "webkitgtk"
  readonly supportsParallelism = false
  readonly initScripts: string[] = []
  #session: Promise<Session> | undefined

  constructor(project: TestProject) {
    // vitest asks for its window's size before every file, and fails without an answer; the one it has will do
    project.browser?.registerCommand("__vitest_viewport", () => Promise.resolve())
  }

  getCommandsContext(): Record<string, unknown> {
    return {}
  }

  async openPage(_sessionId: string, url: string): Promise<void> {
    this.#session ??= Session.start()
    await (await this.#session).open(url)
  }

  async close(): Promise<void> {
    await (await this.#session)?.stop()
  }
}

/** The browser `webkit` of vitest, in WebKitGTK. */
export const webkitgtk = (): BrowserProviderOption =>
  defineBrowserProvider({
    name: "webkitgtk",
    supportedBrowser: ["webkit"],
    providerFactory: (project) => new WebKitGtkProvider(project),
  })
