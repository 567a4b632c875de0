/** Chunked encryption: bodies of docs/protocol.md §10, whole and in pieces. Valid ones are sealed again, too. */

import { createHash } from "node:crypto"
import { inflateSync } from "node:zlib"

import type { Bytes } from "../../src/base/bytes.ts"
import { assert, assertEqual, assertRangeError, refusal, toHex } from "../../src/contracts/assert.ts"
import type { Backend } from "../../src/crypto/backend.ts"
import { deriveBodyKeys } from "../../src/stream/body-keys.ts"
import { ByteReader } from "../../src/stream/byte-reader.ts"
import { BODY_HEAD_BYTES, SALT_BYTES, SEALED_CHUNK_BYTES } from "../../src/stream/layout.ts"
import { openBody, openBodyHead } from "../../src/stream/open-stream.ts"
import { readPieces } from "../../src/stream/pieces.ts"
import { sealBody } from "../../src/stream/seal-stream.ts"
import { collect, type Cut, CUTS, piecesOf } from "../support/pieces.ts"
import { TEST_ALL } from "../support/runs.ts"
import { bytes, type Case, type Suite, tally } from "./vectors.ts"

interface Body {
  readonly key: Bytes
  readonly context: Bytes
  readonly sealed: Bytes
}

/** What came out before the end or the failure. */
interface Outcome {
  readonly released: Bytes
  readonly failed: boolean
}

async function openIn(backend: Backend, { key, context, sealed }: Body, cut: Cut): Promise<Outcome> {
  const reader = new ByteReader(readPieces(piecesOf(sealed, cut)), SEALED_CHUNK_BYTES)
  const parts: Uint8Array[] = []
  const plaintext = openBody({ backend, key }, context, reader)
  try {
    for await (const batch of plaintext) parts.push(...batch)
    return { released: new Uint8Array(Buffer.concat(parts)), failed: false }
  } catch (error) {
    assert((error as { code?: string }).code === "ERR_OPEN_FAILED", `ERR_OPEN_FAILED, not ${String(error)}`)
    return { released: new Uint8Array(Buffer.concat(parts)), failed: true }
  }
}

const sha512 = (data: Bytes): string => createHash("sha512").update(data).digest("hex")

function checkReleased(test: Case, released: Bytes): void {
  const length = test["msgLength"]
  assert(released.length <= Number(length ?? 0), `at most ${String(length)} bytes to be released`)
  if (released.length === length) assert(sha512(released) === test["msgSha512"], "only authentic bytes")
}

async function checkSealing(
  backend: Backend,
  test: Case,
  { key, context, sealed }: Body,
  message: Bytes,
): Promise<void> {
  const salt = sealed.slice(0, SALT_BYTES)
  const keys = deriveBodyKeys(key, salt, context)
  assertEqual(keys.key, bytes(test, "aeadKey"), "the key")
  assertEqual(keys.baseNonce, bytes(test, "baseNonce"), "the base nonce")
  const pieces = readPieces(piecesOf(message, CUTS["at random"]))
  assertEqual(await collect(sealBody({ backend, key }, context, salt, pieces)), sealed, "sealing it again")
}

function checkHead(test: Case, { key, context, sealed }: Body): boolean {
  const failsAtHead = (test["flags"] as string[]).includes("HeaderFailure")
  if (!failsAtHead) openBodyHead(key, context, sealed.subarray(0, BODY_HEAD_BYTES))
  return failsAtHead
}

/** Two cases have 4 MiB: byte by byte, those are for when all is tested. */
function cutsFor(sealed: Bytes): [name: string, cut: Cut][] {
  const isLong = sealed.length > 1_000_000 && !TEST_ALL
  return Object.entries(CUTS).filter(([, cut]) => !(isLong && cut === CUTS["by the byte"]))
}

async function checkBody(backend: Backend, test: Case): Promise<string> {
  const sealed = new Uint8Array(inflateSync(bytes(test, "ct")))
  const body = { key: bytes(test, "key"), context: bytes(test, "ctx"), sealed }
  if (body.key.length !== 32) {
    const derive = (): unknown => deriveBodyKeys(body.key, sealed.slice(0, SALT_BYTES), body.context)
    await assertRangeError(derive, `a key of ${body.key.length} bytes`)
    return "other keys, refused"
  }
  const failsAtHead = checkHead(test, body)
  if (failsAtHead) {
    const head = sealed.subarray(0, BODY_HEAD_BYTES)
    await refusal(() => openBodyHead(body.key, body.context, head), `the head ${toHex(head)}`)
  }
  for (const [name, cut] of cutsFor(sealed)) {
    const { released, failed } = await openIn(backend, body, cut)
    assert(failed === (test.result === "invalid"), `pieces cut ${name} to ${failed ? "open" : "be refused"}`)
    if (failed) checkReleased(test, released)
    else assert(sha512(released) === test["msgSha512"], "the message")
    if (!failed && cut === CUTS.whole) await checkSealing(backend, test, body, released)
  }
  return test.result === "valid" ? "opened and sealed" : failsAtHead ? "refused at the head" : "refused"
}

/** The file about chunked encryption. */
export const CHUNKED: readonly Suite[] = [
  {
    name: "c2sp_chunked_encryption_aes_256_gcm",
    run: (backend, groups) => tally(groups, (test) => checkBody(backend, test)),
    expected: () => ({
      "opened and sealed": 10,
      refused: 15,
      "refused at the head": 8,
      "other keys, refused": 2,
    }),
  },
]
