/** A rule for unusual activity: too many refusals in a minute, from one source or from all of them. */

const WINDOW_MS = 60_000
/** Refusals before a message was opened, and sealed ones after it. */
const COUNTED = ["refused", "problem"]

/** @typedef {import("sealwire/server").EndpointEvent} EndpointEvent */

/**
 * @typedef {object} Alert
 * @property {"refusals"} alert
 * @property {string} source A network, or `"all"`.
 * @property {number} count
 * @property {number} withinSeconds
 * @property {Record<string, number>} why By reason, as far as it is known.
 */

/** @typedef {{ count: number, why: Record<string, number> }} Tally */

/** @param {EndpointEvent} event */
function whyOf(event) {
  if (event.type === "refused") return event.reason ?? event.code ?? String(event.status)
  return event.type === "problem" ? event.problem : event.type
}

/**
 * Creates a listener for `onEvent`. A source is told of once in each minute, however long it goes on.
 *
 * Minutes are fixed, so just under twice the bound may pass unseen across the end of one. What is remembered of a minute is bounded
 * by the endpoint's own `maxEventsPerSecond`.
 *
 * @param {object} options
 * @param {number} options.perSource
 * @param {number} options.ofAll
 * @param {(alert: Alert) => void} options.alert
 * @returns {(event: EndpointEvent) => void}
 */
export function createAlertRule({ perSource, ofAll, alert }) {
  /** @type {Map<string, Tally>} */
  const tallies = new Map()
  let endsAtMs = 0

  /**
   * @param {string} source
   * @param {number} bound
   * @param {number} count
   * @param {string} reason
   */
  function add(source, bound, count, reason) {
    const tally = tallies.get(source) ?? { count: 0, why: {} }
    tallies.set(source, tally)
    const isNews = tally.count <= bound && tally.count + count > bound
    tally.count += count
    tally.why[reason] = (tally.why[reason] ?? 0) + count
    const { why } = tally
    if (isNews) alert({ alert: "refusals", source, count: tally.count, withinSeconds: 60, why: { ...why } })
  }

  return (event) => {
    if (event.at >= endsAtMs) {
      tallies.clear()
      endsAtMs = event.at + WINDOW_MS
    }
    if (event.type === "suppressed") {
      // a flood: counted by the endpoint, without its sources
      if (COUNTED.includes(event.of)) add("all", ofAll, event.count, "suppressed")
      return
    }
    if (!COUNTED.includes(event.type)) return
    const why = whyOf(event)
    if (event.source !== undefined) add(event.source, perSource, 1, why)
    add("all", ofAll, 1, why)
  }
}
