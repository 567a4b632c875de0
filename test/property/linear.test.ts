import { beforeAll, describe, expect, test } from "vitest"

import { parseEnvelope } from "../../src/envelope/layout.ts"
import { open } from "../../src/envelope/open.ts"
import type { PrivateKey } from "../../src/keys/key.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { dangerouslyAcceptReplays } from "../../src/replay/guard.ts"
import { forge } from "../support/forge.ts"
import { knownAnswers } from "../support/vectors.ts"

const LIMIT = 16 * 1024 * 1024
const SMALL = 100_000
const FACTOR = 16

/** Processor time of the fastest of several runs, in microseconds; other processes do not count. */
async function costOf(run: () => unknown): Promise<number> {
  let least = Infinity
  for (let i = 0; i < 5; i++) {
    const before = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

/** Texts of a length, each of a kind that a careless parser takes long over. */
const SHAPES: Record<string, (length: number) => string> = {
  dots: (length) => ".".repeat(length),
  letters: (length) => "A".repeat(length),
  "letters with four dots at the end": (length) => `${"A".repeat(length)}....`,
  "dots between letters": (length) => "A.".repeat(length / 2),
  spaces: (length) => " ".repeat(length),
  "surrogate pairs": (length) => "\u{1f512}".repeat(length / 2),
  "a right envelope with a long ciphertext": (length) => forge({ message: "m".repeat(length) }),
  "a long ciphertext that is wrong in its last character": (length) =>
    forge({ segments: (right) => right.with(3, `${"A".repeat(length)}=`) }),
  "a long ciphertext that is not base64url": (length) =>
    forge({ segments: (right) => right.with(3, "~".repeat(length)) }),
}

describe("the work of a reader grows with its input, not with the square of it", () => {
  let key: PrivateKey
  beforeAll(async () => {
    key = await importPrivateKey(knownAnswers.recipient)
  })

  test.each(Object.entries(SHAPES))("for %s", { timeout: 60_000 }, async (_, shape) => {
    const [small, large] = [shape(SMALL), shape(SMALL * FACTOR)]
    const parse = (text: string) => (): unknown => parseEnvelope(text, "sw1", LIMIT)
    const opening = (text: string) => (): Promise<unknown> =>
      open(text, { with: key, replay: dangerouslyAcceptReplays }).catch(() => undefined)
    for (const operation of [parse, opening]) {
      const floorMicros = 2000
      const [smallCost, largeCost] = [await costOf(operation(small)), await costOf(operation(large))]
      // linear is 16 times as much, quadratic 256
      expect(largeCost).toBeLessThan(4 * FACTOR * Math.max(smallCost, floorMicros))
    }
  })
})
