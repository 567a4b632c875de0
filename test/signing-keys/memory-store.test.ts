import { describe, test } from "vitest"

import { memorySigningKeyStore } from "../../src/server.ts"
import { signingKeyStoreContract } from "../../src/testing.ts"

describe("memorySigningKeyStore", () => {
  const cases = signingKeyStoreContract({ create: () => memorySigningKeyStore(), reopen: (store) => store })
  for (const { name, run } of cases) test(name, run)
})
