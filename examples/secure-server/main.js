/**
 * `npm start [-- --port N]`: a sealed API behind nginx, on loopback; `npm run check` goes through it once as a client would.
 * It says where it listens in one line, `ready {…}`, logs to standard error, and ends on SIGINT or SIGTERM.
 */

import { parseArgs } from "node:util"

const USAGE = `usage: npm start [-- OPTIONS]

  --port N   listen there on 127.0.0.1 (default: a free port)
  --check    go through it once as a client would; exit 0 only if each step had its outcome
`
const NOT_INSTALLED = `npm ci --prefix examples/secure-server, and npm run build in the repository, come first`

function readArguments() {
  const options = /** @type {const} */ ({
    port: { type: "string", default: "0" },
    check: { type: "boolean", default: false },
  })
  const { port, check } = parseArgs({ options }).values
  if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) return { port: Number(port), isCheck: check }
  throw new RangeError(`--port must be a whole number from 0 to 65535, not "${port}"`)
}

/**
 * Calls `end` when this process should end.
 *
 * @param {() => void} end
 */
function onEnd(end) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end)
  // npm hands a signal to the shell between, and that one dies of it without handing it on
  const parent = process.ppid
  const isNpm = process.env["npm_lifecycle_event"] === "start"
  if (isNpm) setInterval(() => process.ppid !== parent && end(), 200).unref()
}

/** @param {number} port */
async function serve(port) {
  const { start } = await import("./start.js")
  const { close, ...about } = await start({ port })
  onEnd(() => void close())
  console.log(`ready ${JSON.stringify(about)}`)
}

try {
  const { port, isCheck } = readArguments()
  if (isCheck) {
    const { check } = await import("./check.js")
    process.exitCode = (await check()) ? 0 : 1
  } else await serve(port)
} catch (error) {
  const { message, code = "" } = /** @type {Error & { code?: string }} */ (error)
  const isUsage = error instanceof RangeError || code.startsWith("ERR_PARSE_ARGS")
  const isNotInstalled = code === "ERR_MODULE_NOT_FOUND"
  console.error(
    isUsage ? `${message}\n\n${USAGE}` : isNotInstalled ? `${message}\n\n${NOT_INSTALLED}` : message,
  )
  process.exitCode = isUsage ? 2 : 1
}
