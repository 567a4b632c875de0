/** Each backend against the contract, with another one as the reference. */

import { describe, it } from "vitest"

import { backendContract } from "../../src/contracts/backend.ts"
import { backend as node } from "../../src/crypto/node.ts"
import { noble } from "../../src/crypto/noble.ts"
import { backend as web } from "../../src/crypto/web.ts"

const suites = {
  node: backendContract(node, web),
  web: backendContract(web, node),
  noble: backendContract(noble, node, { lacks: ["privateRsa", "der", "cryptoKey"] }),
}

describe.each(Object.entries(suites))("the %s backend", (_name, cases) => {
  it.each(cases)("$name", { timeout: 30_000 }, ({ run }) => run())
})
