/**
 * `sealwire/adapters/fastify`: an endpoint as a plugin of Fastify 5.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http"

import { answerSealed, isKnown, sealedOf as detailsOf } from "../node-http/answer.ts"
import { createDispatch } from "../node-http/dispatch.ts"
import type { Endpoint } from "../server/endpoint.ts"
import type { RequestDetails } from "../server/exchange.ts"

export type { Endpoint } from "../server/endpoint.ts"
export type { RequestDetails } from "../server/exchange.ts"

/** What is used of Fastify's request. */
export interface FastifyRequest {
  readonly raw: IncomingMessage
  readonly originalUrl: string
}

/** What is used of Fastify's reply. */
export interface FastifyReply {
  readonly raw: ServerResponse
  hijack(): unknown
}

/** What is used of a Fastify instance. */
export interface FastifyInstance {
  addHook(
    name: "onRequest",
    hook: (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void,
  ): unknown
  readonly log: { error(error: unknown): void }
  routing(req: IncomingMessage, res: ServerResponse): void
}

/** A plugin of Fastify 5, for the instance that it is registered on. */
export type FastifyPlugin = (instance: FastifyInstance, options: object, done: () => void) => void

/** What a handler may know of its request; undefined where no endpoint has seen it. */
export function sealedOf({ raw }: Pick<FastifyRequest, "raw">): RequestDetails | undefined {
  return detailsOf(raw)
}

/**
 * Creates a plugin that opens requests and seals their answers.
 *
 * The application gets an opened request as a new one, and its ordinary answer is sealed; `sealedOf(request)` tells what is known of
 * it. A request that may come open goes on untouched. Register it first: hooks that stand before it run for the sealed request, and
 * again for the opened one.
 *
 * @example
 * ```ts
 * import fastify from "fastify"
 * import { sealed, sealedOf } from "sealwire/adapters/fastify"
 * import type { Endpoint } from "sealwire/server"
 *
 * function createApp(endpoint: Endpoint) {
 *   const app = fastify()
 *   app.register(sealed(endpoint))
 *   app.post("/transfers", async (request) => ({ received: request.body, signer: sealedOf(request)?.signer }))
 *   return app
 * }
 * ```
 */
export function sealed(endpoint: Endpoint): FastifyPlugin {
  const dispatch = createDispatch()
  const plugin: FastifyPlugin = (instance, _options, done) => {
    const listener = (req: IncomingMessage, res: ServerResponse): void => {
      instance.routing(req, res)
    }
    instance.addHook("onRequest", ({ raw: req, originalUrl: target }, reply, next) => {
      if (isKnown(req, endpoint)) {
        next()
        return
      }
      const outer = { req, target, body: undefined }
      answerSealed(endpoint, outer, reply.raw, dispatch, listener).then(
        (passes) => {
          if (passes) next()
          else reply.hijack()
        },
        (error: unknown) => {
          if (!reply.raw.headersSent) {
            next(error as Error)
            return
          }
          instance.log.error(error)
          reply.hijack()
        },
      )
    })
    done()
  }
  // for the instance itself, not for a child of it: what fastify-plugin does
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true })
}
