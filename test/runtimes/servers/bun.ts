import { createService } from "./service.ts"

/** The part of Bun's own server that is used here. */
declare const Bun: {
  serve(options: { hostname: string; port: number; fetch: (request: Request) => Promise<Response> }): unknown
}

const { host, port, endpoint, handler, ready } = await createService()
Bun.serve({ hostname: host, port, fetch: (request) => endpoint.handle(request, handler) })
ready()
