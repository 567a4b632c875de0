/**
 * Measures contenders side by side in one process: A B C A B C …, so that whatever the machine does in between, it does to all.
 * A figure is the median of all samples of all rounds.
 */

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {(input: any) => unknown} run One sample; a promise is awaited, anything else is not.
 * @property {(count: number) => Promise<any[]>} [prepare] Inputs for that many samples, made before the clock starts.
 * @property {number} [operations] Operations in one sample. Default: 1.
 *
 * @typedef {object} Measured
 * @property {string} name
 * @property {number} p50 Microseconds for one operation.
 * @property {number} p99
 * @property {number} samples
 */

/** Samples in one turn, at least and at most; between them the time decides. */
const FEWEST = 2
const MOST = 2000
/** Inputs that are used up by a sample are dear to make, so there are fewer. */
const MOST_PREPARED = 300

/** @param {number[]} sorted @param {number} share */
const quantile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN

/**
 * @param {Contender} contender
 * @param {number} turnMs
 * @param {number[]} samples Microseconds for one operation, added to.
 */
async function takeTurn({ run, prepare, operations = 1 }, turnMs, samples) {
  const inputs = await prepare?.(MOST_PREPARED)
  const most = inputs?.length ?? MOST
  const end = performance.now() + turnMs
  for (let i = 0; i < most; i++) {
    const start = performance.now()
    const result = run(inputs?.[i])
    if (result instanceof Promise) await result
    const now = performance.now()
    samples.push(((now - start) * 1000) / operations)
    if (now > end && i + 1 >= FEWEST) break
  }
}

/**
 * @param {Contender[]} contenders
 * @param {{ rounds: number, turnMs: number }} options One more round, the first, only warms up.
 * @returns {Promise<Measured[]>}
 */
export async function measure(contenders, { rounds, turnMs }) {
  const samples = contenders.map(() => /** @type {number[]} */ ([]))
  for (let round = 0; round <= rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      await takeTurn(contender, turnMs, round === 0 ? [] : samples[i])
    }
  }
  return contenders.map(({ name }, i) => {
    const sorted = samples[i].sort((a, b) => a - b)
    return {
      name,
      p10: quantile(sorted, 0.1),
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      samples: sorted.length,
    }
  })
}

/**
 * Runs an operation many times with so many in flight, as a server does that is asked by so many clients at once.
 *
 * @param {() => unknown} operation
 * @param {number} operations
 * @param {number} inFlight
 */
export async function sustain(operation, operations, inFlight) {
  let left = operations
  const client = async () => {
    while (left-- > 0) await operation()
  }
  await Promise.all(Array.from({ length: inFlight }, client))
}
