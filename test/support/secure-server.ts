/**
 * examples/secure-server, laid out as an install would, over a package that is built from these sources; and what asks it.
 *
 * @module
 */

import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs"
import type { IncomingMessage } from "node:http"
import { request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { text } from "node:stream/consumers"

import { build } from "esbuild"

import { type Client, createClient } from "../../src/client.ts"

const EXAMPLE = resolve("examples/secure-server")

/** Whether the example's own packages are installed. */
export const isInstalled: boolean = existsSync(join(EXAMPLE, "node_modules/express"))

/** The package, as far as the example needs it. */
async function buildPackage(folder: string): Promise<void> {
  mkdirSync(folder)
  const text = readFileSync("package.json", "utf8")
  const { exports } = JSON.parse(text) as { exports: Record<string, { default?: string }> }
  const built = Object.values(exports).flatMap(({ default: path }) => path ?? [])
  await build({
    entryPoints: built.map((path) => resolve(path.replace("./dist/", "src/").replace(/js$/, "ts"))),
    outdir: join(folder, "dist"),
    outbase: "src",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    packages: "external",
    alias: {
      "#backend": resolve("test/support/watched-node.ts"),
      "#base64url": resolve("src/base/base64url-node.ts"),
    },
  })
  cpSync("package.json", join(folder, "package.json"))
  symlinkSync(resolve("node_modules"), join(folder, "node_modules"), "dir")
}

/** The example, ready to be started. */
export interface Installed {
  /** Its main program. */
  readonly main: string
  remove(): void
}

/** Lays the example out. */
export async function installSecureServer(): Promise<Installed> {
  const base = mkdtempSync(join(tmpdir(), "sealwire-example-"))
  await buildPackage(join(base, "sealwire"))
  const folder = join(base, "secure-server")
  cpSync(EXAMPLE, folder, { recursive: true, filter: (path) => !path.includes("node_modules") })
  const modules = join(folder, "node_modules")
  mkdirSync(modules)
  for (const name of readdirSync(join(EXAMPLE, "node_modules"))) {
    const source = name === "sealwire" ? join(base, "sealwire") : join(EXAMPLE, "node_modules", name)
    if (!name.startsWith(".")) symlinkSync(source, join(modules, name), "dir")
  }
  return {
    main: join(folder, "main.js"),
    remove() {
      rmSync(base, { recursive: true })
    },
  }
}

/** What the example says when it is ready. */
export interface About {
  readonly url: string
  readonly caFile: string
  readonly pin: string
  readonly apiKeysFile: string
  readonly appUrl: string
}

/** The running example. */
export interface SecureServer {
  readonly about: About
  readonly ca: string
  readonly apiKeys: { readonly teller: string; readonly auditor: string }
  /** What it has logged so far, by lines. */
  log(): readonly Record<string, unknown>[]
  /** Asks it to end, and gives its exit code. */
  end(): Promise<number | null>
}

/** Starts the example by its command. */
export async function startSecureServer({ main }: Installed): Promise<SecureServer> {
  const child = spawn(process.execPath, [main], { stdio: ["ignore", "pipe", "pipe"] })
  const exited = once(child, "exit") as Promise<[number | null]>
  let [out, err] = ["", ""]
  child.stderr.on("data", (chunk: Buffer) => {
    err += chunk.toString()
  })
  await new Promise<void>((ready, fail) => {
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString()
      if (out.endsWith("\n")) ready()
    })
    exited.then(([code]) => fail(new Error(`the example ended with ${String(code)}: ${err}`)), fail)
  })
  const about = JSON.parse(/^ready (.*)\n$/.exec(out)?.[1] ?? "") as About
  return {
    about,
    ca: readFileSync(about.caFile, "utf8"),
    apiKeys: JSON.parse(readFileSync(about.apiKeysFile, "utf8")) as SecureServer["apiKeys"],
    log: () =>
      err
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async end() {
      child.kill("SIGTERM")
      const [code] = await exited
      return code
    },
  }
}

/** An answer, with its headers as they came. */
export interface Answer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly text: string
}

/** What to ask, and from which address. */
export interface Asking {
  readonly from: string
  readonly ca?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Asks over a connection of its own. */
export async function ask(url: string, { from, body = "", ...options }: Asking): Promise<Answer> {
  const length = body === "" ? {} : { "content-length": String(Buffer.byteLength(body)) }
  const request = url.startsWith("https:") ? requestHttps : requestHttp
  const outgoing = request(url, {
    ...options,
    localAddress: from,
    agent: false,
    headers: { ...options.headers, ...length },
  }).end(body)
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage]
  const { statusCode: status = 0, rawHeaders } = incoming
  const names = rawHeaders.filter((_, at) => at % 2 === 0)
  const headers = names.map((name, at) => [name.toLowerCase(), rawHeaders[2 * at + 1] ?? ""] as const)
  return { status, headers, text: await text(incoming) }
}

/** A sealed client of the example. */
export function clientOf({ about, ca }: SecureServer, from: string, pin: string = about.pin): Client {
  return createClient({
    baseUrl: about.url,
    pins: [pin],
    retry: { attempts: 1 },
    async fetch(url, { method = "GET", headers, body }) {
      const asking = { from, ca, method, headers: Object.fromEntries(new Headers(headers)) }
      const answer = await ask(url, { ...asking, ...(typeof body === "string" && { body }) })
      return new Response(answer.text === "" ? null : answer.text, {
        status: answer.status,
        headers: answer.headers.map(([name, value]): [string, string] => [name, value]),
      })
    },
  })
}
