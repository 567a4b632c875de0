/**
 * What every {@link Backend} must do: known answers, agreement with a reference both ways, and refusals.
 * A capability that a backend lacks is named, and must be refused with `ERR_UNSUPPORTED`: nothing is skipped.
 *
 * @module
 */

import { assertOptions } from "../base/options.ts"
import type { Backend } from "../crypto/backend.ts"
import type { ContractCase } from "./assert.ts"
import { keyFormCases } from "./backend-key-forms.ts"
import type { BackendCapability, BackendPair } from "./backend-pair.ts"
import { recipientKeyCases } from "./backend-recipient-keys.ts"
import { signingKeyCases } from "./backend-signing-keys.ts"
import { symmetricCases } from "./backend-symmetric.ts"

export type { BackendCapability }

/** How a backend is held to its contract. */
export interface BackendContractOptions {
  /** Capabilities that the backend must refuse. Default: none. */
  readonly lacks?: readonly BackendCapability[]
}

/**
 * The cases that a backend must pass, for any test runner.
 *
 * @param backend - The backend under test.
 * @param reference - A backend that lacks nothing and is trusted; best one that shares no code with `backend`.
 */
export function backendContract(
  backend: Backend,
  reference: Backend,
  options: BackendContractOptions = {},
): ContractCase[] {
  assertOptions(options, "options", ["lacks"])
  const pair: BackendPair = { backend, reference, lacks: new Set(options.lacks) }
  return [
    ...symmetricCases(pair),
    ...recipientKeyCases(pair),
    ...signingKeyCases(pair),
    ...keyFormCases(pair),
  ]
}
