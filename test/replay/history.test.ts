import { expect, test } from "vitest"

import { open } from "../../src/envelope/open.ts"
import { seal } from "../../src/envelope/seal.ts"
import { generateKeyPair } from "../../src/keys/recipient.ts"
import { createReplayGuard } from "../../src/replay/guard.ts"
import { memoryStore } from "../../src/replay/memory-store.ts"

// one test: each step depends on what this process has admitted before
test("a first memory store knows of all messages, a later one only of those after it", async () => {
  const { publicKey: to, privateKey } = await generateKeyPair({ modulusBits: 2048 })
  const openWith = async (replay: ReturnType<typeof createReplayGuard>): Promise<string> =>
    (await open(await seal("hello", { to }), { with: privateKey, replay })).text()

  const first = createReplayGuard({ store: memoryStore() })
  await expect(openWith(first), "a key made before the first store").resolves.toBe("hello")

  const second = createReplayGuard({ store: memoryStore() })
  await expect(openWith(second), "a key that the first store served").rejects.toMatchObject({
    code: "ERR_QUARANTINED",
  })
  await expect(openWith(first), "the first store, still").resolves.toBe("hello")
})
