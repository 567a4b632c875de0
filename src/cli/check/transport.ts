/**
 * Rows on TLS: versions, suites, certificate. One handshake each, ended at once.
 *
 * @module
 */

import { getCiphers } from "node:tls"

import type { Handshake, Offer } from "./handshake.ts"
import { fail, type Finding, notTested, pass, type Probe } from "./probe.ts"
import type { Target } from "./target.ts"

const ADVICE =
  "tlsOptions() of sealwire/adapters/node has the versions and suites; nginx: ssl_protocols TLSv1.2 TLSv1.3, and its names in ssl_ciphers"

/** Key exchanges that a stolen key opens later, and those that prove no server. */
const WITHOUT_SECRECY = "kRSA:aNULL"
/** Everything else that is no AEAD, encryption with nothing among it. */
const WITHOUT_AEAD = "ALL:COMPLEMENTOFALL:!aNULL:!kRSA:!PSK:!SRP:!AESGCM:!AESCCM:!CHACHA20:!ARIAGCM"
const FORWARD_SECRET_AEAD = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"

/** What was broken long ago, and is not even compiled in here. */
function unoffered(): string {
  const here = getCiphers()
  const absent = Object.entries({ RC4: "rc4-sha", "3DES": "des-cbc3-sha" })
    .filter(([, suite]) => !here.includes(suite))
    .map(([name]) => name)
  return [...absent, "SSL 3"].join(", ")
}

const LIBRARY = `OpenSSL ${process.versions.openssl}`

/** A handshake that says nothing of the server. */
function unknown({ kind, reason }: Extract<Handshake, { kind: "no-answer" | "cannot-offer" }>): Finding {
  if (kind === "no-answer") return notTested(`no answer: ${reason}`)
  return notTested(`${LIBRARY} here cannot offer it (${reason})`, "ask with another client, such as sslscan")
}

/** A row that wants an offer to be refused. */
const refusing = (name: string, offer: Offer, what: string): Probe => ({
  name,
  sends: [`handshake: ${what}`],
  advice: ADVICE,
  async run({ wire }) {
    const handshake = await wire.shakeHands(offer)
    if (handshake.kind === "agreed") return fail(`agreed on ${handshake.suite}`)
    if (handshake.kind === "refused") return pass(`refused (${handshake.reason})`)
    return unknown(handshake)
  },
})

/** A row that wants an offer to be taken. */
const taking = (name: string, offer: Offer, what: string): Probe => ({
  name,
  sends: [`handshake: ${what}`],
  advice: ADVICE,
  async run({ wire, notes }) {
    const handshake = await wire.shakeHands(offer)
    if (handshake.kind === "refused") return fail(`refused (${handshake.reason})`)
    if (handshake.kind !== "agreed") return unknown(handshake)
    notes.certificate = handshake.certificate
    return pass(`agreed on ${handshake.suite}`)
  },
})

const certificate: Probe = {
  name: "certificate",
  sends: [],
  advice:
    "install a certificate for this very name, with its chain, from an authority that clients trust; --ca FILE names a private one",
  run({ notes }) {
    const { distrust, expires } = notes.certificate ?? {}
    if (expires === undefined) return Promise.resolve(notTested("no handshake of TLS 1.2 or 1.3 succeeded"))
    return Promise.resolve(distrust === undefined ? pass(`trusted, until ${expires}`) : fail(distrust))
  },
}

const https: Probe = {
  name: "https",
  sends: [],
  advice: "serve over TLS alone, and check its https: URL; plain HTTP is for loopback",
  run: ({ target: { isTls, isLoopback } }) =>
    Promise.resolve(
      isTls
        ? pass("the URL is https:")
        : isLoopback
          ? notTested("plain HTTP on loopback", https.advice)
          : fail("plain HTTP"),
    ),
}

/** The rows on TLS. */
export function transportProbes({ isTls }: Target): readonly Probe[] {
  const modern = FORWARD_SECRET_AEAD
  const all = "ALL:COMPLEMENTOFALL"
  const old = `${LIBRARY} here cannot offer ${unoffered()}`
  const probes = [
    taking("tls-1.2", { version: "TLSv1.2", suites: modern }, "TLS 1.2, forward-secret AEAD suites"),
    taking("tls-1.3", { version: "TLSv1.3", suites: modern }, "TLS 1.3"),
    refusing("tls-1.1", { version: "TLSv1.1", suites: all }, "TLS 1.1 alone, every suite"),
    refusing("tls-1.0", { version: "TLSv1", suites: all }, "TLS 1.0 alone, every suite"),
    refusing(
      "forward-secrecy",
      { version: "TLSv1.2", suites: WITHOUT_SECRECY },
      `TLS 1.2, only suites without forward secrecy or certificate (${old})`,
    ),
    refusing(
      "aead",
      { version: "TLSv1.2", suites: WITHOUT_AEAD },
      `TLS 1.2, only forward-secret suites without AEAD (${old})`,
    ),
    certificate,
  ]
  if (isTls) return [https, ...probes]
  return [
    https,
    ...probes.map((probe) => ({ ...probe, skip: "plain HTTP: check the https: URL of the deployment" })),
  ]
}
