import { createServer } from "node:http"

import { getRequestListener } from "@hono/node-server"

import { createService } from "./service.ts"

const { host, port, endpoint, handler, ready } = await createService()
createServer(getRequestListener((request) => endpoint.handle(request, handler))).listen(port, host, ready)
