/**
 * What cannot run here is named, and fails when everything must run (`SEALWIRE_TEST_ALL=1`).
 *
 * @module
 */

import { test } from "vitest"

/** Whether everything must run: slow cases in full, and nothing missing. */
export const RUN_ALL: boolean = process.env["SEALWIRE_TEST_ALL"] === "1"

/** Stands in for tests that cannot run here: skipped by name, or failed when everything must run. */
export function notRun(what: string, missing: string): void {
  test.skipIf(!RUN_ALL)(`NOT RUN: ${what}: ${missing} is missing`, () => {
    throw new Error(`${missing} is missing: install it, or run npm ci --prefix tools/stores for a client`)
  })
}
