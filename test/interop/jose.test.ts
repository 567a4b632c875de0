import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

import { calculateJwkThumbprint, compactDecrypt, compactVerify, importJWK } from "jose"
import { beforeAll, describe, expect, test } from "vitest"

// @ts-expect-error a script, without types
import { sealWithJose as untyped } from "../../examples/seal-with-jose.mjs"
import { backend as node } from "../../src/crypto/node.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { open } from "../../src/envelope/open.ts"
import { seal } from "../../src/envelope/seal.ts"
import type { PrivateKey, SigningKey } from "../../src/keys/key.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { importSigningKey } from "../../src/keys/signer.ts"
import { createReplayGuard } from "../../src/replay/guard.ts"
import { nonceOf, sha256 } from "../support/forge.ts"
import { spyStore } from "../support/stores.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const sealWithJose = untyped as (message: string, jwk: object, context?: string) => Promise<string>
const run = promisify(execFile)
const { recipient } = knownAnswers
const message = '{"pay":"120 to Zoë"}'

/** P = D ‖ seed ‖ u16 ‖ S ‖ M */
function layoutOf(plaintext: Buffer): Record<"digest" | "seed" | "signature" | "message", Buffer> {
  const end = 66 + plaintext.readUInt16BE(64)
  return {
    digest: plaintext.subarray(0, 32),
    seed: plaintext.subarray(32, 64),
    signature: plaintext.subarray(66, end),
    message: plaintext.subarray(end),
  }
}

describe.each([node, web])("jose and the $name backend", (backend) => {
  let key: PrivateKey
  let signers: SigningKey[]
  beforeAll(async () => {
    key = await importPrivateKey(recipient, { backend })
    signers = await Promise.all(
      [knownAnswers.signer, knownAnswers.signer_es256].map((jwk) => importSigningKey(jwk, { backend })),
    )
  })

  test("jose decrypts what is sealed, to the layout of the protocol", async () => {
    const envelope = await seal(message, { to: key.publicKey, context: "transfers" })
    const { plaintext, protectedHeader } = await compactDecrypt(
      envelope,
      await importJWK(recipient, "RSA-OAEP-256"),
    )
    const layout = layoutOf(Buffer.from(plaintext))
    expect(layout.message.toString()).toBe(message)
    expect(layout.signature).toHaveLength(0)
    expect(protectedHeader).toMatchObject({
      alg: "RSA-OAEP-256",
      enc: "A256GCM",
      jti: nonceOf(layout.seed).toString("base64url"),
      kid: await calculateJwkThumbprint(publicJwk(recipient)),
      typ: "sw1",
    })
  })

  test("jose verifies what is signed, inside what it decrypts", async () => {
    for (const signWith of signers) {
      const jwk = signWith.algorithm === "ES256" ? knownAnswers.signer_es256 : knownAnswers.signer
      const envelope = await seal(message, { to: key.publicKey, signWith })
      const { plaintext } = await compactDecrypt(envelope, await importJWK(recipient, "RSA-OAEP-256"))
      const { signature } = layoutOf(Buffer.from(plaintext))
      const { payload, protectedHeader } = await compactVerify(
        signature,
        await importJWK(publicJwk(jwk), signWith.algorithm),
      )
      expect(protectedHeader).toEqual({ alg: signWith.algorithm, kid: signWith.kid, typ: "sw1-sig" })
      expect(payload).toHaveLength(32)
    }
  })

  test("what the example seals with jose is opened, once, and only for its context", async () => {
    const replay = createReplayGuard({ store: spyStore() })
    const envelope = await sealWithJose(message, publicJwk(recipient), "transfers")
    const refused = { code: "ERR_OPEN_FAILED" }
    await expect(open(envelope, { with: key, replay, context: "other" })).rejects.toMatchObject(refused)
    await expect(
      open(envelope, { with: key, replay, context: "transfers", signedBy: [] }),
    ).rejects.toMatchObject(refused)
    const opened = await open(envelope, { with: key, replay, context: "transfers" })
    expect(opened.text()).toBe(message)
    expect(Buffer.from(opened.digest)).toEqual(sha256(message))
    await expect(open(envelope, { with: key, replay, context: "transfers" })).rejects.toMatchObject({
      code: "ERR_REPLAYED",
    })
  })
})

test("the example runs by itself", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sealwire-"))
  try {
    const file = join(folder, "recipient.jwk")
    await writeFile(file, JSON.stringify(publicJwk(recipient)))
    const script = fileURLToPath(new URL("../../examples/seal-with-jose.mjs", import.meta.url))
    const { stdout } = await run(process.execPath, [script, file, message, "shell"])
    const key = await importPrivateKey(recipient)
    const opened = await open(stdout.trim(), {
      with: key,
      context: "shell",
      replay: createReplayGuard({ store: spyStore() }),
    })
    expect(opened.text()).toBe(message)
  } finally {
    await rm(folder, { recursive: true })
  }
})
