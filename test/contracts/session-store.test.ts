import { describe, test } from "vitest"

import { sessionStoreContract } from "../../src/contracts/session-store.ts"
import { memorySessionStore } from "../../src/session.ts"

describe("the session store in memory", () => {
  const cases = sessionStoreContract({
    create: () => memorySessionStore<Uint8Array>(),
    reopen: (store) => store,
  })
  for (const { name, run } of cases) test(name, run)
})
