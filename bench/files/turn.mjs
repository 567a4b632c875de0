/** One turn of one contender in a process of its own: prints the time, the processor time of all its threads and the memory that it took. */

import { contenders } from "./contenders.mjs"

const [name, work, from, to] = process.argv.slice(2)
const contender = await contenders[name]()
const before = process.memoryUsage().rss
const used = process.cpuUsage()
const start = performance.now()
await contender[work](from, to)
const ms = performance.now() - start
const { user, system } = process.cpuUsage(used)
// of Linux in KiB
const peakMiB = process.resourceUsage().maxRSS / 1024
console.log(
  JSON.stringify({ ms, cpuMs: (user + system) / 1000, peakMiB, grownMiB: peakMiB - before / 2 ** 20 }),
)
