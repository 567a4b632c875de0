/** Every backend against Project Wycheproof. The vectors are not in this repository: `WYCHEPROOF_DIR` says where they are. */

import { describe, expect, it } from "vitest"

import type { Backend } from "../../src/crypto/backend.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as web } from "../../src/crypto/web.ts"
import { ASYMMETRIC } from "./asymmetric.ts"
import { CHUNKED } from "./chunked.ts"
import { SYMMETRIC } from "./symmetric.ts"
import { COUNTS, FOLDER, readGroups, type Suite } from "./vectors.ts"

const SUITES = [...SYMMETRIC, ...ASYMMETRIC, ...CHUNKED]
const NOT_RUN = "Wycheproof is NOT RUN: set WYCHEPROOF_DIR to a folder with its testvectors_v1"

function describeBackend(folder: string, backend: Backend): void {
  const title = ({ name }: Suite): string => `answers all ${COUNTS[name]} cases of ${name}`
  describe(`the ${backend.name} backend`, () => {
    for (const suite of SUITES) {
      it(title(suite), { timeout: 120_000 }, async () => {
        expect(await suite.run(backend, readGroups(folder, suite.name))).toEqual(suite.expected(backend))
      })
    }
  })
}

if (FOLDER === undefined) {
  console.warn(NOT_RUN)
  it.skip(NOT_RUN)
} else {
  for (const backend of [node, web, noble]) describeBackend(FOLDER, backend)
}
