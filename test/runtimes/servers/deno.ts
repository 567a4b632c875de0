import { createService } from "./service.ts"

/** The part of Deno's own server that is used here. */
declare const Deno: {
  serve(
    options: { hostname: string; port: number; onListen: () => void },
    fetch: (request: Request) => Promise<Response>,
  ): unknown
}

const { host, port, endpoint, handler, ready } = await createService()
Deno.serve({ hostname: host, port, onListen: ready }, (request) => endpoint.handle(request, handler))
