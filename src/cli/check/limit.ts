/**
 * The row on the rate limit: sends one request more than the route is said to allow, and wants to be told to wait. Comes last, for it
 * uses up what others need.
 *
 * @module
 */

import { fail, pass, type Probe, summaryOf } from "./probe.ts"
import type { Target } from "./target.ts"

/** The row on the rate limit. */
export function limitProbes({ route, limit = 0 }: Target): readonly Probe[] {
  const { method, path } = route ?? { method: "GET", path: "PATH" }
  const probe: Probe = {
    name: "limit",
    sends: Array.from({ length: limit + 1 }, () => `${method} ${path}, not sealed`),
    advice:
      "leave the endpoint's limits on, and name proxies in trustedProxies; run it again where others were asking from your address, too",
    async run({ wire }) {
      let last = ""
      for (let sent = 1; sent <= limit + 1; sent++) {
        const reply = await wire.send({ method, path, headers: {} })
        last = summaryOf(reply)
        if (reply.status !== 429) continue
        const wait = reply.headers.get("retry-after")
        const received = `429 to request ${sent} of these`
        return wait === null
          ? fail(`${received}, and no retry-after`)
          : pass(`${received}, retry-after ${wait}`)
      }
      return fail(`no 429 in ${limit + 1} requests; the last was answered ${last}`)
    },
  }
  if (limit > 0) return [probe]
  return [{ ...probe, sends: [], skip: "give --limit N, the route's requests a minute: it uses them up" }]
}
