/**
 * The backend for processes that tests start, in the place of src/crypto/node.ts: it tells its secrets to the watch.
 *
 * @module
 */

import { tell } from "./tell-private-keys.ts"

import type { Backend } from "../../src/crypto/backend.ts"
import { backend as unwatched } from "../../src/crypto/node.ts"
import { watchBackend } from "./watched-backend.ts"

export const backend: Backend = watchBackend(unwatched, tell)
