/** The Worker of examples/server-workers.mjs on workerd, with the installed package: the platform's own runtime, on the loopback. */

import { spawn } from "node:child_process"
import { copyFile, writeFile } from "node:fs/promises"
import { join } from "node:path"

import { build } from "esbuild"

import { root } from "./run.js"

/** The scheme of a request comes as the platform's edge would tell it. */
const CONFIG = `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", service = "main", http = (forwardedProtoHeader = "x-forwarded-proto"))],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-04-01",
  bindings = [
    (name = "SEALWIRE_KEY", text = embed "key.pem"),
    (name = "SEALWIRE_IDENTITY", text = embed "identity.pem"),
  ],
);
`

/**
 * Writes the Worker as a bundler makes it, its keys, and workerd's configuration; gives the pin.
 *
 * @param {string} project
 */
async function prepare(project) {
  const { exportPem, generateKeyPair, generateSigningKeyPair } = await import("sealwire/keys")
  const source = join(project, "server-workers.mjs")
  await copyFile(join(root, "examples/server-workers.mjs"), source)
  await build({
    entryPoints: [source],
    outfile: join(project, "worker.js"),
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    target: "es2022",
  })
  const { privateKey } = await generateKeyPair({ extractable: true })
  const { signingKey } = await generateSigningKeyPair({ extractable: true })
  await writeFile(join(project, "key.pem"), await exportPem(privateKey))
  await writeFile(join(project, "identity.pem"), await exportPem(signingKey))
  await writeFile(join(project, "config.capnp"), CONFIG)
  return signingKey.kid
}

/**
 * @param {import("node:child_process").ChildProcess} workerd
 * @returns {Promise<number>}
 */
function portOf(workerd) {
  return new Promise((resolve, reject) => {
    let told = ""
    workerd.once("error", reject).once("exit", (code) => reject(new Error(`workerd ended with ${code}`)))
    workerd.stdio[3]?.on("data", (data) => {
      const port = /"event":"listen","socket":"http","port":(\d+)/.exec((told += String(data)))?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
}

/**
 * Asks the Worker, many times at once.
 *
 * @param {string} project Where the package is installed.
 * @param {string} program workerd.
 * @returns {Promise<string>}
 */
export async function askWorker(project, program) {
  const { createClient } = await import("sealwire/client")
  const pin = await prepare(project)
  const workerd = spawn(program, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: project,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  })
  try {
    const baseUrl = `http://127.0.0.1:${await portOf(workerd)}`
    /** @type {(url: string, init?: RequestInit) => Promise<Response>} */
    const send = (url, init = {}) => {
      const headers = new Headers(init.headers)
      headers.set("x-forwarded-proto", "https")
      headers.set("cf-connecting-ip", "203.0.113.7")
      return fetch(url, { ...init, headers })
    }
    const api = createClient({ baseUrl, origin: "https://api.example.com", pins: [pin], fetch: send })
    const count = 5
    const amounts = Array.from({ length: count }, async (_, cents) => {
      const answer = await api.fetch("/transfers", { method: "POST", body: JSON.stringify({ cents }) })
      const { booked } = await answer.json()
      if (answer.status !== 201 || booked !== cents) throw new Error(`${answer.status}: booked ${booked}`)
    })
    await Promise.all(amounts)
    const open = await (await send(`${baseUrl}/status`)).text()
    if (open !== "up") throw new Error(`the open route said "${open}"`)
    return `${count} sealed requests at once, and an open one`
  } finally {
    workerd.kill()
  }
}
