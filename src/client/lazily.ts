/**
 * Parts of the client that many pages never need: loaded when they are first asked for.
 *
 * @module
 */

import { SealwireError } from "../base/errors.ts"

/**
 * Makes `load` run once for all who ask, and again for those who ask after it failed.
 *
 * @throws (Later) `SealwireError` `ERR_NETWORK`: a page's parts come over the network, and nothing was sent without this one.
 */
export function lazily<Part>(load: () => Promise<Part>): () => Promise<Part> {
  let loading: Promise<Part> | undefined
  return () =>
    (loading ??= load().catch((cause: unknown) => {
      loading = undefined
      throw new SealwireError("ERR_NETWORK", "a part of the client could not be loaded", { cause })
    }))
}
