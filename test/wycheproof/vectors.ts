/**
 * Reads Project Wycheproof's test vectors (https://github.com/C2SP/wycheproof, `testvectors_v1`) from the folder that
 * `WYCHEPROOF_DIR` names. Each file must hold exactly the cases that it held when these tests were written.
 */

import { readFileSync } from "node:fs"
import { join } from "node:path"

import type { Bytes } from "../../src/base/bytes.ts"
import { fromHex } from "../../src/contracts/assert.ts"
import type { Backend } from "../../src/crypto/backend.ts"

/** Where the vectors are; undefined when the tests cannot run. */
export const FOLDER: string | undefined = process.env["WYCHEPROOF_DIR"]

/** How many cases each file holds. */
export const COUNTS = {
  aes_gcm: 316,
  c2sp_chunked_encryption_aes_256_gcm: 35,
  ecdsa_secp256r1_sha256_p1363: 262,
  ed25519: 151,
  hkdf_sha256: 86,
  hmac_sha256: 174,
  rsa_oaep_2048_sha256_mgf1sha256: 37,
} as const

/** One case: its members are hexadecimal but for these. */
export interface Case {
  readonly tcId: number
  readonly comment: string
  readonly result: "valid" | "invalid" | "acceptable"
  readonly size?: number
  readonly [member: string]: unknown
}

/** Cases that share a key or sizes. */
export interface Group {
  readonly tests: readonly Case[]
  readonly [member: string]: unknown
}

/** What became of every case of a file. */
export type Tally = Record<string, number>

/** The groups of a file, once its number of cases is the expected one. */
export function readGroups(folder: string, name: keyof typeof COUNTS): Group[] {
  const file = JSON.parse(readFileSync(join(folder, `${name}_test.json`), "utf8")) as {
    readonly numberOfTests: number
    readonly testGroups: Group[]
  }
  const found = file.testGroups.reduce((sum, group) => sum + group.tests.length, 0)
  if (found !== COUNTS[name] || file.numberOfTests !== found) {
    throw new Error(`${name} has ${found} cases (and says ${file.numberOfTests}), not ${COUNTS[name]}`)
  }
  return file.testGroups
}

/** A hexadecimal member as bytes. */
export function bytes(holder: Case | Group, member: string): Bytes {
  const value = holder[member]
  if (typeof value !== "string") throw new Error(`${member} is not hexadecimal`)
  return fromHex(value)
}

/**
 * Runs `check` on every case of a file and counts what it says of them.
 *
 * @throws `Error` naming the first case that did not come out as it must.
 */
export async function tally(
  groups: readonly Group[],
  check: (test: Case, group: Group) => Promise<string>,
): Promise<Tally> {
  const counts: Tally = {}
  for (const group of groups) {
    for (const test of group.tests) {
      const outcome = await check(test, group).catch((error: unknown) => {
        throw new Error(`case ${test.tcId} (${test.comment}, ${test.result})`, { cause: error })
      })
      counts[outcome] = (counts[outcome] ?? 0) + 1
    }
  }
  return counts
}

/** A suite of one file: how each backend must answer, as counts. */
export interface Suite {
  readonly name: keyof typeof COUNTS
  readonly run: (backend: Backend, groups: readonly Group[]) => Promise<Tally>
  readonly expected: (backend: Backend) => Tally
}
