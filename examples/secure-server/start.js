/** Starts everything on loopback, in a folder that is removed in the end: Redis, the application, nginx with a certificate of its own. */

import { once } from "node:events"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { createAlertRule } from "./alert.js"
import { createApp } from "./app.js"
import { openEndpoint } from "./endpoint.js"
import { nginxConfig } from "./nginx.js"
import { assertInstalled, freePort, run, startServer } from "./programs.js"
import { startRedis } from "./redis.js"
import { openTransfers } from "./transfers.js"

const HOST = "127.0.0.1"
const SECRET = { mode: 0o600 }
/** Longer than nginx keeps an idle connection: who closes first must not be the one who is asked. */
const KEEP_ALIVE_MS = 75_000
const ALERT_BOUNDS = { perSource: 20, ofAll: 500 }

/** What an error says, without its stack. @param {unknown} error */
const textOf = (error) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

/**
 * One line of JSON for each event and alert: what a log shipper takes.
 *
 * @param {(line: string) => void} writeLine
 */
function createLog(writeLine) {
  const rule = createAlertRule({ ...ALERT_BOUNDS, alert: (alert) => writeLine(JSON.stringify(alert)) })
  return {
    /** @param {unknown} error */
    onError: (error) => writeLine(JSON.stringify({ type: "error", error: textOf(error) })),
    /** @param {import("sealwire/server").EndpointEvent} event */
    onEvent(event) {
      writeLine(JSON.stringify("error" in event ? { ...event, error: textOf(event.error) } : event))
      rule(event)
    },
  }
}

/** @param {string} folder */
async function makeCertificate(folder) {
  const [key, certificate] = [join(folder, "tls.key"), join(folder, "tls.pem")]
  const subject = ["-subj", "/CN=localhost", "-addext", `subjectAltName=IP:${HOST},DNS:localhost`]
  const files = ["-keyout", key, "-out", certificate]
  await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files])
  await chmod(key, SECRET.mode)
  return { key, certificate }
}

/** @param {import("node:http").RequestListener} listener */
async function listen(listener) {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, listener).listen(0, HOST)
  await once(server, "listening")
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
  const close = () =>
    new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  return { port, close }
}

/** @typedef {() => unknown} Close */

/**
 * @param {{ port: number, writeLine: (line: string) => void }} options
 * @param {Close[]} closers
 */
async function startAll({ port: wanted, writeLine }, closers) {
  const folder = await mkdtemp(join(tmpdir(), "sealwire-secure-server-"))
  closers.push(() => rm(folder, { recursive: true, force: true }))
  // nginx's workers, who are nobody, go through it to their own
  await chmod(folder, 0o711)
  const { onError, onEvent } = createLog(writeLine)

  const [files, redis, transfers, port] = await Promise.all([
    makeCertificate(folder),
    startRedis(folder, onError).then((started) => {
      closers.push(started.close)
      return started.redis
    }),
    openTransfers().then((opened) => {
      closers.push(opened.close)
      return opened
    }),
    wanted === 0 ? freePort() : wanted,
  ])
  const url = `https://${HOST}:${port}`
  const { endpoint, sessions, issued, pin } = await openEndpoint({ origin: url, redis, onEvent })
  closers.push(() => sessions.close())
  const app = await listen(createApp(endpoint, transfers, onError))
  closers.push(app.close)

  const config = join(folder, "nginx.conf")
  await writeFile(config, nginxConfig({ folder, port, appPort: app.port, ...files }), SECRET)
  const args = ["-p", folder, "-e", "stderr", "-c", config]
  closers.push(await startServer("nginx", args, { port, endSignal: "SIGQUIT" }))

  const apiKeysFile = join(folder, "api-keys.json")
  await writeFile(apiKeysFile, JSON.stringify(issued), SECRET)
  return { url, caFile: files.certificate, pin, apiKeysFile, appUrl: `http://${HOST}:${app.port}` }
}

/**
 * Starts the example.
 *
 * @param {{ port?: number, writeLine?: (line: string) => void }} [options] `writeLine` takes the log. Default: a free port, standard error.
 */
export async function start({ port = 0, writeLine = console.error } = {}) {
  assertInstalled()
  /** @type {Close[]} */
  const closers = []
  const close = async () => {
    for (const each of closers.splice(0).reverse()) await each()
  }
  try {
    return { ...(await startAll({ port, writeLine }, closers)), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** @typedef {Awaited<ReturnType<typeof start>>} Started */
