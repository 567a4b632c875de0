/** Tables as Markdown, and which bars hold. */

import { arch, availableParallelism, cpus, loadavg, platform } from "node:os"

const number = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))

const times = (ratio) => `${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2)}×`

const row = (cells) => `| ${cells.join(" | ")} |`

/** How many times as fast `figure` is as the contender of that name. */
const ratioTo = (measured, name, figure) => measured.find((other) => other.name === name).p50 / figure.p50

/**
 * @typedef {{ text: string, holds: boolean }} Judgement
 *
 * @returns {Promise<Judgement[]>}
 */
export async function judge({ bars, alone }, measured) {
  const judged = bars.map(({ against, atLeast }) => {
    const ratio = ratioTo(measured, against, measured[0])
    return { text: `${times(ratio)} ${against}, bar ${atLeast}×`, holds: ratio >= atLeast }
  })
  return alone ? [...judged, await alone()] : judged
}

export function renderTable({ title, references }, measured, judged) {
  const head = ["", "p50 µs", "p99 µs", ...references.map((name) => `× ${name}`)]
  const rows = measured.map((figure) => [
    figure.name,
    number(figure.p50),
    number(figure.p99),
    ...references.map((name) => times(ratioTo(measured, name, figure))),
  ])
  return [
    `### ${title}\n`,
    row(head),
    row(head.map((_, i) => (i === 0 ? "---" : "--:"))),
    ...rows.map(row),
    ...(judged.length > 0 ? [""] : []),
    ...judged.map(({ text, holds }) => `- ${holds ? "Holds" : "**Falls short**"}: ${text}.`),
    "",
  ].join("\n")
}

export function renderMachine() {
  const { model = "unknown processor" } = cpus()[0] ?? {}
  const [load] = loadavg()
  const { node, openssl } = process.versions
  return `Node ${node} (OpenSSL ${openssl}), ${platform()} ${arch()}, ${availableParallelism()} × ${model}, load ${load.toFixed(1)}\n`
}
