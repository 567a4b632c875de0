/** The page's files, bundled from demo/page, with headers that let it load and ask nothing but its own origin. */

import { readFile } from "node:fs/promises"
import { join } from "node:path"

import { build } from "esbuild"

const folder = join(import.meta.dirname, "page")

const SECURITY_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
}

/** The page's program with the client in it, as its own build would make it: from the built package. */
async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [join(folder, "main.js")],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    // this repository's own would find the package in src/, for Node
    tsconfigRaw: {},
    // chunks of the package that another door needs
    logOverride: { "ignored-bare-import": "silent" },
  })
  return outputFiles[0]?.text ?? ""
}

/** @typedef {import("node:http").IncomingMessage} Incoming */
/** @typedef {import("node:http").ServerResponse} Outgoing */

/**
 * Reads the page.
 *
 * @param {{ origin: string, pin: string, maxAgeSeconds: number }} settings - The pin comes with the page, so that whoever
 *   serves the page decides whom it trusts.
 */
export async function readPage({ origin, pin, maxAgeSeconds }) {
  /** @param {string} name */
  const read = (name) => readFile(join(folder, name), "utf8")
  const [html, style, icon, script] = await Promise.all([
    read("index.html"),
    read("style.css"),
    read("icon.svg"),
    bundle(),
  ])
  const filled = html.replaceAll("{pin}", pin).replaceAll("{maxAgeSeconds}", String(maxAgeSeconds))
  /** @type {Map<string | undefined, { type: string, content: string }>} */
  const files = new Map([
    ["/", { type: "text/html; charset=utf-8", content: filled }],
    ["/style.css", { type: "text/css; charset=utf-8", content: style }],
    ["/icon.svg", { type: "image/svg+xml", content: icon }],
    ["/main.js", { type: "text/javascript; charset=utf-8", content: script }],
  ])

  return {
    /**
     * Answers a request for one of the files; tells whether it was one.
     *
     * @param {Incoming} incoming
     * @param {Outgoing} outgoing
     */
    answer({ method, url, headers }, outgoing) {
      const found = method === "GET" ? files.get(url) : undefined
      if (!found) return false
      const { type, content } = found
      // messages are bound to this origin: a page that was asked for by another name goes there
      if (`http://${headers.host ?? ""}` === origin) answerWith(outgoing, type, content)
      else outgoing.writeHead(307, { ...SECURITY_HEADERS, location: `${origin}/` }).end()
      return true
    },
  }
}

/**
 * @param {Outgoing} outgoing
 * @param {string} type
 * @param {string} content
 */
export function answerWith(outgoing, type, content) {
  outgoing.writeHead(200, { ...SECURITY_HEADERS, "content-type": type }).end(content)
}
