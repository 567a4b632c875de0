/** Whether the slow suites run, too. */
export const TEST_ALL: boolean = process.env["SEALWIRE_TEST_ALL"] === "1"

/** Options of a property: a modest number of runs, and fifty times as many where all is tested. */
export const runs = (numRuns: number): { numRuns: number } => ({ numRuns: TEST_ALL ? numRuns * 50 : numRuns })

/** Time for a property in milliseconds, to match. */
export const TIMEOUT_MS: number = TEST_ALL ? 600_000 : 30_000
