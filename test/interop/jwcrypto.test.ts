import { execFile, spawnSync } from "node:child_process"
import { promisify } from "node:util"

import { expect, test } from "vitest"

import { open } from "../../src/envelope/open.ts"
import { seal } from "../../src/envelope/seal.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { createReplayGuard } from "../../src/replay/guard.ts"
import { forge, NOW_SECONDS } from "../support/forge.ts"
import { TEST_ALL } from "../support/runs.ts"
import { spyStore } from "../support/stores.ts"
import { knownAnswers, publicJwk } from "../support/vectors.ts"

const run = promisify(execFile)
const { recipient } = knownAnswers
const message = "to Python and back"

/** A Python that has jwcrypto; the system's own may not be the first in the path. */
const python = ["python3", "/usr/bin/python3"].find(
  (command) => spawnSync(command, ["-c", "import jwcrypto"], { stdio: "ignore" }).status === 0,
)
if (python === undefined && !TEST_ALL)
  console.warn("jwcrypto is NOT TESTED: apt-get install python3-jwcrypto")

const DECRYPT = `
import sys
from jwcrypto import jwe, jwk
token = jwe.JWE()
token.deserialize(sys.argv[2], key=jwk.JWK.from_json(sys.argv[1]))
sys.stdout.write(token.payload.hex())`

/** Seals what it is given under a header that it is given. */
const ENCRYPT = `
import sys
from jwcrypto import jwe, jwk
token = jwe.JWE(bytes.fromhex(sys.argv[3]), protected=sys.argv[2], recipient=jwk.JWK.from_json(sys.argv[1]))
sys.stdout.write(token.serialize(compact=True))`

const runPython = async (script: string, ...args: string[]): Promise<string> =>
  (await run(python ?? "python3", ["-c", script, ...args])).stdout

test.runIf(python !== undefined || TEST_ALL)("jwcrypto decrypts what is sealed", async () => {
  const key = await importPrivateKey(recipient)
  const envelope = await seal(message, { to: key.publicKey })
  const plaintext = Buffer.from(await runPython(DECRYPT, JSON.stringify(recipient), envelope), "hex")
  expect(plaintext.subarray(66).toString()).toBe(message)
})

test.runIf(python !== undefined || TEST_ALL)(
  "jwcrypto decrypts the known request with sealed fields",
  async () => {
    const { body, seed, m } = knownAnswers.fields_http.request
    const plaintext = Buffer.from(await runPython(DECRYPT, JSON.stringify(recipient), body.$sealed), "hex")
    expect(plaintext.subarray(32, 64).toString("hex")).toBe(seed)
    expect(plaintext.subarray(66).toString()).toBe(m)
  },
)

test.runIf(python !== undefined || TEST_ALL)("what jwcrypto encrypts is opened", async () => {
  let header = ""
  let plaintext = ""
  forge({
    message,
    header: (right) => (header = right),
    plaintext: (right) => {
      plaintext = right.toString("hex")
      return right
    },
  })
  const envelope = await runPython(ENCRYPT, JSON.stringify(publicJwk(recipient)), header, plaintext)
  const replay = createReplayGuard({ store: spyStore(), clock: () => NOW_SECONDS * 1000 })
  const opened = await open(envelope, { with: await importPrivateKey(recipient), replay })
  expect(opened.text()).toBe(message)
})
