import { describe, it } from "vitest"

import { cases } from "./suites.ts"

describe("in every runtime", () => {
  for (const { name, run } of cases) it(name, run)
})
