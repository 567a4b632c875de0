import { createServer } from "node:http"

import { createListener } from "sealwire/adapters/node"

import { createService } from "./service.ts"

const { host, port, endpoint, handler, ready } = await createService()
createServer(createListener(endpoint, handler)).listen(port, host, ready)
