import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { tlsOptions } from "../../../src/adapters/node.ts"
import { carryOut, planOf } from "../../../src/cli/check/plan.ts"
import { MAX_REQUESTS, type TargetOptions } from "../../../src/cli/check/target.ts"
import { openWire } from "../../../src/cli/check/wire.ts"
import { createReplayGuard } from "../../../src/index.ts"
import { hasOpenssl } from "../../support/openssl.ts"
import {
  type Broken,
  deploy,
  type Deployment,
  named,
  rewriteHeaders,
  rowsOf,
  targetOf,
} from "./deployment.ts"

/** Which rows are red on a broken copy; all others must be green. */
async function redOn(broken: Broken, options: TargetOptions = {}): Promise<string[]> {
  const deployment = await deploy(broken)
  try {
    const rows = await rowsOf(targetOf(deployment, options))
    expect(named(rows, "not tested")).toEqual([])
    return named(rows, "fail")
  } finally {
    await deployment.close()
  }
}

const NO_HEADERS = {
  "content-security-policy": false,
  "cross-origin-opener-policy": false,
  "cross-origin-resource-policy": false,
  "referrer-policy": false,
  "x-content-type-options": false,
  "x-frame-options": false,
} as const

function falling(): () => number {
  let seq = 100
  return () => seq--
}

/** Says of every claim that it is the first. */
const forgetful = createReplayGuard({ store: { claim: () => Promise.resolve(true) } })
const patient = createReplayGuard({ store: { claim: onceOnly() }, maxAgeSeconds: 7200 })

function onceOnly(): (id: string) => Promise<boolean> {
  const seen = new Set<string>()
  return (id) => Promise.resolve(seen.size < seen.add(id).size)
}

const weaker = (suites: string) => ({ ciphers: `${tlsOptions().ciphers}:${suites}:@SECLEVEL=0` })

describe.skipIf(!hasOpenssl)("a check of a deployment", () => {
  let good: Deployment
  beforeAll(async () => {
    good = await deploy()
  })
  afterAll(() => good.close())

  it("is green in every row where all is as it should be", async () => {
    const target = targetOf(good)
    const plan = planOf(target)
    const { rows, requests } = await carryOut(plan, openWire(target))
    expect(rows.filter(({ verdict }) => verdict !== "pass")).toEqual([])
    expect(rows).toHaveLength(27)
    expect(requests).toBeLessThanOrEqual(plan.requests)
    expect(plan.requests).toBeLessThanOrEqual(MAX_REQUESTS)
  })

  it.each<[string, string[], Broken]>([
    ["offers a suite without forward secrecy", ["forward-secrecy"], { tls: weaker("AES128-GCM-SHA256") }],
    ["offers a suite without AEAD", ["aead"], { tls: weaker("ECDHE-RSA-AES128-SHA256") }],
    [
      "speaks TLS 1.1, which has no AEAD",
      ["tls-1.1", "aead"],
      { tls: { ...weaker("ECDHE-RSA-AES128-SHA"), minVersion: "TLSv1.1" } },
    ],
    [
      "speaks TLS 1.0 as well",
      ["tls-1.1", "tls-1.0", "aead"],
      { tls: { ...weaker("ECDHE-RSA-AES128-SHA"), minVersion: "TLSv1" } },
    ],
    ["does not speak TLS 1.3", ["tls-1.3"], { tls: { maxVersion: "TLSv1.2" } }],
    ["sets no security headers", ["security-headers"], { endpoint: { securityHeaders: NO_HEADERS } }],
    ["sets no HSTS", ["hsts"], { endpoint: { securityHeaders: { "strict-transport-security": false } } }],
    [
      "lets any origin read, by repeating what asked",
      ["cors-foreign", "cors-null", "cors-preflight"],
      {
        front: ({ headers: { origin } }, res) =>
          origin !== undefined && res.setHeader("access-control-allow-origin", origin),
      },
    ],
    [
      "lets pages without an origin read",
      ["cors-null"],
      {
        front: ({ headers: { origin } }, res) =>
          origin === "null" && res.setHeader("access-control-allow-origin", "null"),
      },
    ],
    [
      "does not learn the origin of a request",
      ["csrf-origin", "csrf-fetch-site"],
      {
        front: (req) => {
          rewriteHeaders(req, (name, value) => (/^(?:origin|sec-fetch-.*)$/.test(name) ? undefined : value))
        },
      },
    ],
    [
      "takes what a form can send",
      ["csrf-content-type"],
      {
        front: (req) => {
          rewriteHeaders(req, (_, value) => (value === "text/plain" ? "application/jose" : value))
        },
      },
    ],
    ["accepts replays", ["replay"], { endpoint: { replay: forgetful } }],
    ["accepts what is an hour old", ["stale"], { endpoint: { replay: patient } }],
    ["has servers that differ in their directory", ["seq"], { seq: falling() }],
    ["has no limit", ["limit"], { endpoint: { limits: false } }],
  ])("is red in the right rows alone where a deployment %s", async (_, red, broken) => {
    expect(await redOn(broken)).toEqual(red)
  })

  it("is red where a sealed route takes what is not sealed, and sends its handler nothing more", async () => {
    const deployment = await deploy({ endpoint: { routes: { "/account": "low" } } })
    try {
      const rows = await rowsOf(targetOf(deployment))
      expect(named(rows, "fail")).toEqual(["unsealed-request"])
      expect(named(rows, "not tested")).toEqual(["csrf-content-type"])
    } finally {
      await deployment.close()
    }
  })

  it.each<[string, string, TargetOptions]>([
    ["signed by another key than the pinned one", "pin", { pin: "A".repeat(43) }],
    ["below the seq that was published", "seq", { seq: 2 }],
  ])("is red where the directory is %s", async (_, red, options) => {
    expect(await redOn({}, options)).toEqual([red])
  })

  it("is red where nobody vouches for the certificate", async () => {
    const rows = await rowsOf({ ...targetOf(good), limit: undefined, ca: undefined })
    expect(named(rows, "fail")).toEqual(["certificate"])
    expect(rows.find(({ name }) => name === "certificate")?.received).toBe("DEPTH_ZERO_SELF_SIGNED_CERT")
  })
})
