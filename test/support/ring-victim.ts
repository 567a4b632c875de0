/**
 * A process that rotates a ring without an end, to be killed: says each key that it knows to be stored. `node … <folder>`.
 *
 * @module
 */

import { writeSync } from "node:fs"

import { openKeyRing } from "../../src/key-ring.ts"
import { folderKeyRingStore } from "../../src/stores/folder.ts"

const store = folderKeyRingStore(process.argv[2] ?? "")
const protection = { wrappingKey: new Uint8Array(32) }
/** Time flies, so that every look at the ring finds a step to take. */
let nowMs = Number(process.argv[3])
const terms = {
  rotateEverySeconds: 20,
  refreshSeconds: 1,
  pendingSeconds: 3,
  directoryLifetimeSeconds: 60,
  maxAgeSeconds: 1,
  maxSkewSeconds: 0,
  clockErrorSeconds: 1,
  modulusBits: 2048,
} as const
const ring = await openKeyRing({ store, protection, terms, create: true, clock: () => nowMs })
for (;;) {
  await ring.refresh()
  nowMs += 5000
  for (const { kid, retiredFromMs = Infinity } of ring.list())
    writeSync(1, `${nowMs} ${kid} ${retiredFromMs}\n`)
}
