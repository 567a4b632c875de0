/** The application: ordinary Express behind the endpoint. It sees opened requests, and trusts them no more than any other. */

import { STATUS_CODES } from "node:http"
import { fileURLToPath } from "node:url"

import { Eta } from "eta"
import express from "express"
import helmet from "helmet"
import { sealed, sealedOf } from "sealwire/adapters/express"
import { readJson } from "sealwire/server"
import { z } from "zod"

/** @typedef {import("express").Request} Request */
/** @typedef {import("express").Response} Response */
/** @typedef {import("./transfers.js").Transfers} Transfers */

const views = fileURLToPath(new URL("views", import.meta.url))
/** `<%= … %>` escapes for text and for attributes in quotes; nothing else is put into a page. */
const pages = new Eta({ views })

const Order = z.strictObject({
  to: z.string().min(1).max(34),
  cents: z.int().positive().max(100_000_000),
  reference: z.string().max(140),
  greeting: z.string().max(140).optional(),
})
const Filter = z.strictObject({ to: z.string().max(34).optional() })

const JSON_BOUNDS = { maxBytes: 4096, maxDepth: 4, maxKeys: 20 }

/**
 * Helmet sets the headers of open answers, which may be pages. On sealed answers, its values are inside and outside, and the endpoint
 * adds what they leave out; refusals and the directory never come here. A header is set by one of the two.
 */
const headers = helmet({
  contentSecurityPolicy: {
    useDefaults: false, // they allow inline styles
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
  xFrameOptions: { action: "deny" },
})

/**
 * @param {Request} _
 * @param {Response} res
 * @param {() => void} next
 */
function noStore(_, res, next) {
  res.set("cache-control", "no-store")
  next()
}

/**
 * The body as strict JSON of a schema's shape; undefined where it is not, and an answer has been given.
 *
 * @template Output
 * @param {Request} req
 * @param {Response} res
 * @param {import("sealwire/server").InputSchema<Output>} schema
 * @returns {Promise<Output | undefined>}
 */
async function jsonOf(req, res, schema) {
  const { value, refused } = await readJson(req, { schema, ...JSON_BOUNDS })
  if (!refused) return value
  res
    .status(refused.status)
    .type("application/problem+json")
    .send(await refused.text())
  return undefined
}

/** @param {Request} req */
function principalOf(req) {
  const { principal } = sealedOf(req) ?? {}
  if (!principal) throw new Error("this route is not behind an endpoint that authenticates")
  return principal.id
}

/**
 * @param {Response} res
 * @param {number} status
 * @param {string} title
 */
function problem(res, status, title) {
  res.status(status).type("application/problem+json").json({ type: "about:blank", title, status })
}

/**
 * What went wrong is for the log, not for the client. Express knows it by its four parameters.
 *
 * @param {(error: unknown) => void} onError
 */
function errorHandler(onError) {
  /**
   * @param {{ status?: number } | undefined} error
   * @param {Request} _
   * @param {Response} res
   * @param {(error: unknown) => void} next
   */
  return (error, _, res, next) => {
    const status = error?.status ?? 500
    if (status >= 500) onError(error)
    if (res.headersSent) {
      next(error)
      return
    }
    problem(res, status, STATUS_CODES[status] ?? "")
  }
}

/**
 * @param {import("sealwire/server").Endpoint} endpoint
 * @param {Transfers} transfers
 * @param {(error: unknown) => void} onError
 */
export function createApp(endpoint, transfers, onError) {
  const app = express()
  app.disable("x-powered-by").disable("etag")
  app.use(sealed(endpoint), headers, noStore)

  app.get("/status", (_, res) => void res.json({ status: "up" }))
  app.get("/style.css", (_, res) => res.sendFile(`${views}/style.css`, { cacheControl: false }))
  app.get("/", async (_, res) => {
    const greetings = await transfers.greetings()
    res.type("html").send(pages.render("greetings", { greetings }))
  })

  // for readJson: express.json() is not strict
  const body = express.raw({ type: () => true, limit: JSON_BOUNDS.maxBytes, inflate: false })
  app.post("/transfers", body, async (req, res) => {
    const order = await jsonOf(req, res, Order)
    if (order) res.status(201).json({ number: await transfers.book(principalOf(req), order) })
  })
  app.get("/transfers", async (req, res) => {
    const { success, data } = Filter.safeParse(req.query)
    if (success) res.json(await transfers.list(principalOf(req), data.to))
    else problem(res, 422, "The query may have one member, to")
  })

  app.use((_, res) => problem(res, 404, "Not Found"))
  app.use(errorHandler(onError))
  return app
}
