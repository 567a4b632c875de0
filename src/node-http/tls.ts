/**
 * What a Node server should demand of TLS.
 *
 * @module
 */

import { constants } from "node:crypto"

/** The part of the options of `https.createServer` that {@link tlsOptions} sets. */
export interface TlsOptions {
  readonly minVersion: "TLSv1.2"
  readonly maxVersion: "TLSv1.3"
  readonly ciphers: string
  readonly honorCipherOrder: true
  readonly ecdhCurve: string
  readonly secureOptions: number
}

/** An ephemeral key exchange and an AEAD in each: RFC 8446, and what RFC 7525 and 9325 keep of TLS 1.2. */
const CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
]

/**
 * Gives options for `https.createServer`: TLS 1.2 and 1.3, and of their suites only those with forward secrecy and an AEAD.
 *
 * @example
 * ```ts
 * import { createServer } from "node:https"
 * import { createListener, tlsOptions } from "sealwire/adapters/node"
 * import type { Endpoint } from "sealwire/server"
 *
 * const serve = (endpoint: Endpoint, key: string, cert: string) =>
 *   createServer({ ...tlsOptions(), key, cert }, createListener(endpoint, () => new Response("hello")))
 * ```
 */
export function tlsOptions(): TlsOptions {
  return {
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    ciphers: CIPHERS.join(":"),
    honorCipherOrder: true,
    ecdhCurve: "X25519:P-256:P-384",
    // a client that renegotiates costs a handshake each time, and gains nothing
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  }
}
