/** One turn of one contender in a process of its own: prints the time and the memory that it took. */

import { contenders } from "./contenders.mjs"

const [name, work, from, to] = process.argv.slice(2)
const contender = await contenders[name]()
const before = process.memoryUsage().rss
const start = performance.now()
await contender[work](from, to)
const ms = performance.now() - start
// of Linux in KiB
const peakMiB = process.resourceUsage().maxRSS / 1024
console.log(JSON.stringify({ ms, peakMiB, grownMiB: peakMiB - before / 2 ** 20 }))
