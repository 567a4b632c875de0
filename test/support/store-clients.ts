/**
 * The database clients of tools/stores, an install of its own that may be missing.
 *
 * @module
 */

import { createRequire } from "node:module"
import { resolve } from "node:path"

// by the directory that tests are started in: bundles of this file lie elsewhere
const installed = createRequire(resolve("tools/stores/package.json"))

/** A client library, or undefined when `npm ci --prefix tools/stores` has not been run. */
export function clientLibrary(name: string): unknown {
  try {
    return installed(name)
  } catch {
    return undefined
  }
}
