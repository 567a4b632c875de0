/** What is measured against what, and the bars that must hold. */

import { generateKeyPairSync, randomBytes } from "node:crypto"
import { monitorEventLoopDelay } from "node:perf_hooks"

import { sustain } from "./measure.mjs"
import { jose, joseReplies } from "./peers/jose.mjs"
import { BY_HAND, naive, naiveReplies } from "./peers/naive.mjs"
import { hpke, libsodium, nodeForge, openPgp } from "./peers/others.mjs"
import { sealwire, sealwireRemembering, sealwireReplies } from "./peers/sealwire.mjs"

const KIB = 1024
const IN_FLIGHT = 16
/** Operations in one sample where many are in flight. */
const BATCH = 256
const LOOP_DELAY_MS = 2000
const LOOP_DELAY_BAR_MS = 15

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {(message: Uint8Array) => any} seal
 * @property {(sealed: any) => any} open
 * @property {(message: Uint8Array) => Promise<any>} [exchange] What `open` takes, where that opens only once.
 *
 * @typedef {object} Bar
 * @property {string} against Whose figure ours is compared with.
 * @property {number} atLeast Times as fast.
 *
 * @typedef {object} Table
 * @property {string} title
 * @property {import("./measure.mjs").Contender[]} contenders The first is ours.
 * @property {string[]} references Contenders that ratios are given against.
 * @property {Bar[]} bars
 * @property {() => Promise<import("./report.mjs").Judgement>} [alone] A bar that is no comparison.
 */

/** Keys in the two forms that the peers take. */
export function rsaKeys(modulusLength = 2048) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength, publicExponent: 65537 })
  const [publicJwk, privateJwk] = [publicKey, privateKey].map((key) => key.export({ format: "jwk" }))
  return { publicKey, privateKey, publicJwk, privateJwk }
}

/** @param {Peer} peer */
const sealing = (peer, message) => ({ name: peer.name, run: () => peer.seal(message) })

/** Nothing is timed that does not work. @param {Peer} peer */
async function opening(peer, message) {
  const { name, open, seal, exchange } = peer
  const sealed = await (exchange ?? seal)(message)
  if (!Buffer.from(await open(sealed)).equals(message))
    throw new Error(`${name} does not open what it sealed`)
  if (!exchange) return { name, run: () => open(sealed) }
  const prepare = async (count) => {
    const inputs = []
    for (let i = 0; i < count; i++) inputs.push(await exchange(message))
    return inputs
  }
  return { name, prepare, run: open }
}

const openingAll = (peers, message) => Promise.all(peers.map((peer) => opening(peer, message)))

async function oneShot(size, peers, sealBars, openBars) {
  const message = randomBytes(size)
  const references = ["jose", BY_HAND]
  const label = `RSA-2048, ${size / KIB} KiB`
  return [
    {
      title: `Seal, ${label}`,
      contenders: peers.map((peer) => sealing(peer, message)),
      references,
      bars: sealBars,
    },
    {
      title: `Open, ${label}, one at a time`,
      contenders: await openingAll(peers, message),
      references,
      bars: openBars,
    },
  ]
}

async function replies(peers) {
  const message = randomBytes(KIB)
  const references = peers.slice(1).map(({ name }) => name)
  const bars = [{ against: references[0], atLeast: 5 }]
  return [
    {
      title: "Seal a reply, 1 KiB",
      contenders: peers.map((peer) => sealing(peer, message)),
      references,
      bars,
    },
    { title: "Open a reply, 1 KiB", contenders: await openingAll(peers, message), references, bars },
  ]
}

/** How late the event loop's timers are while an operation goes on for two seconds. */
async function judgeLoopDelay(run) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  delay.enable()
  while (performance.now() - start < LOOP_DELAY_MS) await run()
  delay.disable()
  const { user, system } = process.cpuUsage(cpu)
  const cores = (user + system) / 1000 / (performance.now() - start)
  const p99Ms = delay.percentile(99) / 1e6
  const text = `event loop delay p99 ${p99Ms.toFixed(1)} ms, bar ${LOOP_DELAY_BAR_MS} ms; ${cores.toFixed(1)} cores were to be had`
  return { text, holds: p99Ms < LOOP_DELAY_BAR_MS }
}

/** Opens with many in flight: what one process does under load, and whether its event loop stays free meanwhile. */
async function inFlight(peers) {
  const contenders = (await openingAll(peers, randomBytes(KIB))).map(({ name, run }) => ({
    name,
    run: () => sustain(run, BATCH, IN_FLIGHT),
    operations: BATCH,
  }))
  return {
    title: `Open, RSA-2048, 1 KiB, ${IN_FLIGHT} in flight`,
    contenders,
    references: ["jose", BY_HAND],
    bars: ["jose", BY_HAND].map((against) => ({ against, atLeast: 1.5 })),
    alone: () => judgeLoopDelay(contenders[0].run),
  }
}

/** @returns {Promise<Table[]>} */
export async function makeTables(library) {
  const keys = rsaKeys()
  const make = (makers) => Promise.all(makers.map((maker) => maker(keys)))
  const core = await make([sealwire(library), jose, naive(false), naive(true)])
  const remembering = await make([sealwireRemembering(library)])
  const others = await make([libsodium, openPgp, hpke, nodeForge])
  const large = { against: "jose", atLeast: 4 }
  return [
    ...(await oneShot(
      KIB,
      [...core, ...remembering, ...others],
      [large, { against: BY_HAND, atLeast: 0.9 }],
      [],
    )),
    await inFlight(core.slice(0, 3)),
    ...(await replies(await make([sealwireReplies(library), joseReplies, naiveReplies]))),
    ...(await oneShot(256 * KIB, [...core, ...others], [large], [large])),
  ]
}
