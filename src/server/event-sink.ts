/**
 * The way from what happens to the operator's listener: when and where from are added, control characters are escaped, and a flood is
 * counted instead of told.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts"
import type { Happening, OnEndpointEvent, OnHappening } from "./events.ts"
import { report } from "./events.ts"

/** Makes the listener for what one source does. */
export type SinkFor = (source: string | undefined) => OnHappening

const SECOND_MS = 1000

/** Controls, line separators, and what turns the direction of text: each could forge a line of a log, or hide one. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu

function escapeText(text: string): string {
  return text.replace(UNPRINTABLE, (each) => {
    const code = each.codePointAt(0) ?? 0
    return `\\u{${code.toString(16)}}`
  })
}

function escaped<Each extends object>(event: Each): Each {
  const entries = Object.entries(event) as [string, unknown][]
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "string" ? escapeText(value) : value]),
  ) as Each
}

/** One kind of event in one second. */
interface Tally {
  readonly startedAtMs: number
  told: number
  suppressed: number
}

/** A process that has nothing else to do need not stay for this. */
function later(run: () => void): void {
  const timer: unknown = setTimeout(run, SECOND_MS)
  if (typeof timer === "object" && timer !== null && "unref" in timer) {
    ;(timer as { unref(): void }).unref()
  }
}

/** Creates the way to `onEvent`, at most `mostPerSecond` of each type; the others are told by a `suppressed` a second later. */
export function eventSink(onEvent: OnEndpointEvent, clock: Clock, mostPerSecond: number): SinkFor {
  const tallies = new Map<string, Tally>()

  const tell = (happening: Happening, source: string | undefined): unknown =>
    onEvent(escaped({ ...happening, at: clock(), source }))

  function close(type: string, tally: Tally): void {
    if (tallies.get(type) === tally) tallies.delete(type)
    const { suppressed: count } = tally
    if (count === 0) return
    tally.suppressed = 0
    void report((summary) => tell(summary, undefined), { type: "suppressed", of: type, count })
  }

  function tallyOf(type: string): Tally {
    const nowMs = performance.now()
    const current = tallies.get(type)
    if (current && nowMs - current.startedAtMs < SECOND_MS) return current
    if (current) close(type, current)
    const started = { startedAtMs: nowMs, told: 0, suppressed: 0 }
    tallies.set(type, started)
    return started
  }

  return (source) => (happening) => {
    const { type } = happening
    const tally = tallyOf(type)
    if (tally.told < mostPerSecond) {
      tally.told++
      return tell(happening, source)
    }
    if (tally.suppressed++ === 0) {
      later(() => {
        close(type, tally)
      })
    }
    return undefined
  }
}
