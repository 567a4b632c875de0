import { resolve } from "node:path"

import { beforeEach, expect, test } from "vitest"

import type { EndpointEvent } from "../../src/server.ts"

interface Alert {
  readonly alert: string
  readonly source: string
  readonly count: number
  readonly withinSeconds: number
  readonly why: Readonly<Record<string, number>>
}
interface Bounds {
  readonly perSource: number
  readonly ofAll: number
  readonly alert: (alert: Alert) => void
}
type CreateAlertRule = (bounds: Bounds) => (event: EndpointEvent) => void

const { createAlertRule } = (await import(
  /* @vite-ignore */ resolve("examples/secure-server/alert.js")
)) as unknown as Record<"createAlertRule", CreateAlertRule>

const MINUTE_MS = 60_000
const SOURCE = "203.0.113.7"

let alerts: Alert[]
let rule: (event: EndpointEvent) => void
beforeEach(() => {
  alerts = []
  rule = createAlertRule({ perSource: 3, ofAll: 6, alert: (alert) => alerts.push(alert) })
})

const refused = (at: number, source: string | undefined = SOURCE): EndpointEvent => ({
  type: "refused",
  status: 429,
  code: undefined,
  reason: "source-limit",
  at,
  source,
})

function tell(times: number, event: EndpointEvent): void {
  for (let each = 0; each < times; each++) rule(event)
}

test("says nothing up to the bound, and once above it, with what was refused why", () => {
  tell(2, refused(0))
  tell(1, { type: "problem", problem: "replayed", kid: "k", signer: undefined, at: 1000, source: SOURCE })
  expect(alerts).toEqual([])
  tell(1, refused(2000))
  const why = { "source-limit": 3, replayed: 1 }
  expect(alerts).toEqual([{ alert: "refusals", source: SOURCE, count: 4, withinSeconds: 60, why }])
  tell(1, refused(3000))
  expect(alerts).toHaveLength(1)
})

test("begins anew with each minute, and says it again where it goes on", () => {
  tell(3, refused(0))
  tell(3, refused(MINUTE_MS))
  expect(alerts).toEqual([])
  tell(1, refused(2 * MINUTE_MS - 1))
  tell(4, refused(2 * MINUTE_MS))
  expect(alerts.map(({ source, count }) => [source, count])).toEqual([
    [SOURCE, 4],
    [SOURCE, 4],
  ])
})

test("counts sources apart, and all of them together", () => {
  for (let host = 0; host < 6; host++) tell(1, refused(0, `198.51.100.${host}`))
  expect(alerts).toEqual([])
  tell(1, refused(0, undefined))
  expect(alerts.map(({ source, count }) => [source, count])).toEqual([["all", 7]])
})

test("counts what a flood has suppressed, of refusals alone", () => {
  tell(1, { type: "suppressed", of: "answered", count: 1000, at: 0, source: undefined })
  expect(alerts).toEqual([])
  tell(1, { type: "suppressed", of: "refused", count: 1000, at: 0, source: undefined })
  expect(alerts).toMatchObject([{ source: "all", count: 1000, why: { suppressed: 1000 } }])
})

test("does not count answers", () => {
  const answered = {
    type: "answered",
    level: "low",
    requestId: "r",
    signer: undefined,
    principal: "p",
  } as const
  tell(100, { ...answered, status: 200, at: 0, source: SOURCE })
  expect(alerts).toEqual([])
})
