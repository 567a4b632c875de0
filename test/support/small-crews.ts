/** In the place of src/stream/crew-terms.ts: a crew for every file, beside whose bundle its script is. */

export const LEAST_CREW_BYTES = 0

export const mostWorkers = (): number => 2

export const workerScript = (): URL => new URL("./segment-worker.mjs", import.meta.url)
