/**
 * Rows on sealed messages, by somebody on the way: once more, changed, held back, and sent elsewhere; and that what is sealed is
 * answered sealed, and what is not is refused. docs/protocol.md §3.4, §4 and §8.
 *
 * @module
 */

import { attempt, describe, wants, wantsRefusal, withoutRoute } from "./attempt.ts"
import { busy, fail, isRefusal, pass, type Probe, summaryOf } from "./probe.ts"
import type { CheckedRoute, Target } from "./target.ts"
import type { Reply, WireRequest } from "./wire.ts"

/** Far above what any deployment should accept, and below the day after which nothing is even opened. */
const HELD_BACK_MS = 3_600_000
const OTHER_PATH = "/sealwire-check/another-route"

const sealedAnswer = (route: CheckedRoute, sends: string): Probe => ({
  name: "sealed-answer",
  sends: [sends],
  advice:
    "is this the path of a sealed route, with its prefix? stale: set the clocks; else let the endpoint's answers through unchanged",
  run: (probing) =>
    attempt(
      probing,
      route,
      (request) => probing.wire.send(request),
      (outcome) => {
        if (outcome.kind === "answered") probing.notes.replies.set("sealed answer", outcome.reply)
        return wants("answered")(outcome)
      },
    ),
})

const unsealedRequest = ({ method, path }: CheckedRoute): Probe => ({
  name: "unsealed-request",
  sends: [`${method} ${path}, not sealed`],
  advice: 'give the route the level "high" or "medium", and let nothing reach it past the endpoint',
  async run({ wire, notes }) {
    const reply = await wire.send({ method, path, headers: {} })
    if (isRefusal(reply)) notes.replies.set("refusal", reply)
    const early = busy(reply)
    if (early) return early
    if (isRefusal(reply)) return pass(summaryOf(reply))
    notes.takesUnsealed = true
    return fail(summaryOf(reply))
  },
})

const replay = (route: CheckedRoute, sends: string): Probe => ({
  name: "replay",
  sends: [sends, "the same envelope again"],
  advice:
    "give the endpoint a replay guard that enforces, over one store for all processes that share the key; no mode observe",
  run: ({ wire, ...probing }) =>
    attempt(
      { wire, ...probing },
      route,
      async (request) => {
        const first = await wire.send(request)
        return busy(first) ? first : wire.send(request)
      },
      wants("replayed"),
    ),
})

/** Changes one character in the middle of a segment of the envelope. */
function tampered({ headers, body, ...request }: WireRequest, segment: number): WireRequest {
  const parts = (body ?? headers["sealwire"] ?? "").split(".")
  const part = parts[segment] ?? ""
  const at = part.length >> 1
  parts[segment] = part.slice(0, at) + (part[at] === "A" ? "B" : "A") + part.slice(at + 1)
  const envelope = parts.join(".")
  if (body !== undefined) return { ...request, headers, body: envelope }
  return { ...request, headers: { ...headers, sealwire: envelope } }
}

const ENCRYPTED_KEY = 1
const CIPHERTEXT = 3

const areSame = (one: Reply, other: Reply): boolean =>
  one.status === other.status && one.body.equals(other.body)

const tamper = (route: CheckedRoute, sends: string): Probe => ({
  name: "tamper",
  sends: [
    `${sends}, a character of its wrapped key changed`,
    "the same, a character of its ciphertext changed",
  ],
  advice:
    "let the endpoint's refusals through unchanged: they have the same bytes for every cause, so that nobody learns which",
  async run({ wire, ...probing }) {
    let byKey: Reply | undefined
    return attempt(
      { wire, ...probing },
      route,
      async (request) => {
        byKey = await wire.send(tampered(request, ENCRYPTED_KEY))
        return busy(byKey) ? byKey : wire.send(tampered(request, CIPHERTEXT))
      },
      (outcome) => {
        if (!byKey || areSame(byKey, outcome.reply)) return wantsRefusal(outcome)
        return fail(`the two are told apart: ${summaryOf(byKey)}, and ${describe(outcome)}`)
      },
    )
  },
})

const stale = (route: CheckedRoute, sends: string): Probe => ({
  name: "stale",
  sends: [`${sends} by a clock that is an hour behind`],
  advice: "lower maxAgeSeconds of the replay guard: the default is 120",
  run: (probing) =>
    attempt(
      probing,
      { ...route, clock: () => Date.now() - HELD_BACK_MS },
      (request) => probing.wire.send(request),
      wants("stale"),
    ),
})

const crossRoute = ({ method, path }: CheckedRoute): Probe => ({
  name: "cross-route",
  sends: [`sealed ${method} ${OTHER_PATH}, sent to ${path}`],
  advice: "nothing in front may rewrite paths: name in pathPrefix what a gateway takes off",
  run: (probing) =>
    attempt(
      probing,
      { method, path: OTHER_PATH },
      (request) => probing.wire.send({ ...request, path: path.split("?", 1)[0] ?? path }),
      wants("mismatch"),
    ),
})

/** The rows on sealed messages. */
export function messageProbes({ route }: Target): readonly Probe[] {
  const named = route ?? { method: "GET", path: "PATH" }
  const sends = `sealed ${named.method} ${named.path}`
  const probes = [
    sealedAnswer(named, sends),
    unsealedRequest(named),
    replay(named, sends),
    tamper(named, sends),
    stale(named, sends),
    crossRoute(named),
  ]
  return route ? probes : withoutRoute(probes)
}
